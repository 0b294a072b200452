//! To know what the service itself costs, the benchmark also measures the bare calls: one request to the engine and one
//! to X for each job, with the same HTTP library, on one thread per core.
#![expect(clippy::disallowed_types, reason = "the bare calls to the sandbox are what is measured")]

use std::time::{Duration, Instant};

use awc::{Client, Connector};
use serde_json::json;

use super::{BenchmarkError, Plan, town::Town};
use crate::{engines::gemini::GeminiSettings, settings::Settings};

/// Concurrent calls of each thread.
const CONCURRENCY: usize = 32;

/// How many jobs a second the bare calls achieve.
///
/// # Errors
/// The sandbox does not answer.
pub async fn jobs_per_second(
    plan: &Plan,
    town: &Town,
    data: &std::path::Path,
) -> Result<f64, BenchmarkError> {
    let settings = town.settings(plan, data)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let each = plan.jobs().div_ceil(cores * CONCURRENCY);
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
            Ok(Ok(Err(error))) => return Err(BenchmarkError(error)),
            _ => return Err(BenchmarkError("a thread of the bare calls panicked".into())),
        }
    }
    let made = u32::try_from(each * CONCURRENCY * cores);
    Ok(f64::from(made.unwrap_or(u32::MAX)) / began.elapsed().max(Duration::from_micros(1)).as_secs_f64())
}

/// The calls' URLs and keys.
#[derive(Clone)]
struct Calls {
    engine: String,
    key: String,
    x: String,
    token: String,
}

impl Calls {
    fn of(settings: &Settings) -> Result<Self, BenchmarkError> {
        use secrecy::ExposeSecret as _;
        let first = settings.engine.order.first();
        let Some(gemini) = first.and_then(|engine| engine.as_any().downcast_ref::<GeminiSettings>()) else {
            return Err(BenchmarkError(
                "the bare calls need gemini as the first engine in engine.order".into(),
            ));
        };
        let handle = settings.targets.first().map(|target| target.account.clone()).unwrap_or_default();
        let base = gemini.base_url.as_str().trim_end_matches('/').to_owned();
        Ok(Self {
            engine: format!("{base}/v1beta/models/{}:generateContent", gemini.model),
            key: gemini.key.expose_secret().to_owned(),
            x: format!("{base}/2/tweets"),
            // The sandbox also accepts the account's OAuth 2.0 token, which needs no signature.
            token: mynah_sandbox::credentials(&handle).user_bearer_token,
        })
    }

    async fn make(self, thread: usize, each: usize) -> Result<(), String> {
        let client = Client::builder().connector(Connector::new().limit(CONCURRENCY)).finish();
        let workers = (0..CONCURRENCY).map(|worker| self.work(&client, thread * CONCURRENCY + worker, each));
        futures_util::future::try_join_all(workers).await.map(drop)
    }

    async fn work(&self, client: &Client, worker: usize, each: usize) -> Result<(), String> {
        for number in 0..each {
            let text = format!("a bare job {number} of worker {worker}");
            let translate = client.post(&self.engine).insert_header(("x-goog-api-key", self.key.as_str()));
            let mut answer =
                translate.send_json(&translate_body(&text)).await.map_err(|error| error.to_string())?;
            answer.body().await.map_err(|error| error.to_string())?;
            let publish = client.post(&self.x).bearer_auth(&self.token);
            let mut answer =
                publish.send_json(&json!({"text": text})).await.map_err(|error| error.to_string())?;
            answer.body().await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

fn translate_body(text: &str) -> serde_json::Value {
    json!({"contents": [{"role": "user", "parts": [{"text": text}]}]})
}
