//! The same calls with nothing around them: one request to the engine and one to X for each job, by the same HTTP library,
//! on one thread for each core. What a service adds to this is its own.
#![expect(clippy::disallowed_types, reason = "the bare calls to the sandbox are what is measured")]

use std::time::{Duration, Instant};

use awc::{Client, Connector};
use serde_json::json;

use super::{Plan, Unmeasured, town::Town};
use crate::{engines::gemini::GeminiSettings, settings::Settings};

/// How many calls each thread has under way.
const AT_ONCE: usize = 32;

/// How many jobs a second the calls alone would make.
///
/// # Errors
/// Where the sandbox does not answer.
pub async fn jobs_per_second(plan: &Plan, town: &Town, data: &std::path::Path) -> Result<f64, Unmeasured> {
    let settings = town.settings(plan, data)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let each = plan.jobs().div_ceil(cores * AT_ONCE);
    let calls = Calls::of(&settings)?;
    let began = Instant::now();
    let threads: Vec<_> = (0..cores)
        .map(|thread| {
            let calls = calls.clone();
            std::thread::spawn(move || actix_rt::System::new().block_on(calls.make(thread, each)))
        })
        .collect();
    for thread in threads {
        let done = actix_rt::task::spawn_blocking(move || thread.join()).await;
        match done {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => return Err(Unmeasured(error)),
            _ => return Err(Unmeasured("a thread of the bare loop died".into())),
        }
    }
    let made = u32::try_from(each * AT_ONCE * cores);
    Ok(f64::from(made.unwrap_or(u32::MAX)) / began.elapsed().max(Duration::from_micros(1)).as_secs_f64())
}

/// Where the calls go, and with which keys.
#[derive(Clone)]
struct Calls {
    engine: String,
    key: String,
    x: String,
    token: String,
}

impl Calls {
    fn of(settings: &Settings) -> Result<Self, Unmeasured> {
        use secrecy::ExposeSecret as _;
        let first = settings.engine.order.first();
        let Some(gemini) = first.and_then(|engine| engine.as_any().downcast_ref::<GeminiSettings>()) else {
            return Err(Unmeasured("the bare loop asks Gemini".into()));
        };
        let handle = settings.targets.first().map(|target| target.account.clone()).unwrap_or_default();
        let base = gemini.base_url.as_str().trim_end_matches('/').to_owned();
        Ok(Self {
            engine: format!("{base}/v1beta/models/{}:generateContent", gemini.model),
            key: gemini.key.expose_secret().to_owned(),
            x: format!("{base}/2/tweets"),
            // The sandbox takes an OAuth 2.0 token of the account, too, which needs no signature.
            token: mynah_sandbox::credentials(&handle).user_bearer_token,
        })
    }

    async fn make(self, thread: usize, each: usize) -> Result<(), String> {
        let client = Client::builder().connector(Connector::new().limit(AT_ONCE)).finish();
        let workers = (0..AT_ONCE).map(|worker| self.work(&client, thread * AT_ONCE + worker, each));
        futures_util::future::try_join_all(workers).await.map(drop)
    }

    async fn work(&self, client: &Client, worker: usize, each: usize) -> Result<(), String> {
        for number in 0..each {
            let text = format!("a bare job {number} of worker {worker}");
            let ask = client.post(&self.engine).insert_header(("x-goog-api-key", self.key.as_str()));
            let mut answer = ask.send_json(&ask_body(&text)).await.map_err(|error| error.to_string())?;
            answer.body().await.map_err(|error| error.to_string())?;
            let say = client.post(&self.x).bearer_auth(&self.token);
            let mut answer =
                say.send_json(&json!({"text": text})).await.map_err(|error| error.to_string())?;
            answer.body().await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

fn ask_body(text: &str) -> serde_json::Value {
    json!({"contents": [{"role": "user", "parts": [{"text": text}]}]})
}
