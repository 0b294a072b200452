//! Wraps every call of a service: adds latency, faults and headers, and logs the call. The handlers inside know
//! nothing of this.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use actix_web::{
    Error, HttpMessage, HttpRequest, HttpResponse, ResponseError,
    body::{BoxBody, MessageBody as _, to_bytes},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
    },
    middleware::Next,
    web,
};
use futures_util::{StreamExt as _, future, stream};
use jiff::Timestamp;
use url::form_urlencoded;

use crate::{
    anthropic::AnthropicProblem,
    bluesky,
    connection::Connection,
    deepl,
    endpoint::{Endpoint, Service},
    faults::{BlueskyFault, Fault, MastodonFault, XFault},
    gemini::GeminiProblem,
    libretranslate,
    limits::{LimitStatus, LimitStatuses},
    mastodon::{self, ResetForm},
    openai::OpenAiProblem,
    profiles::{self, ActiveProfiles},
    requests::{LoggedCaller, RequestRecord, without_keys},
    state::State,
    windows::Usage,
    x::{self, now_ms, problems::Problem},
};

/// The page that a bot guard sends instead of an API's answer.
const BOT_GUARD: &str = "<!DOCTYPE html><html lang=\"en-US\"><head><title>Just a \
moment...</title></head><body>\
    <h1>Checking if the site connection is secure</h1></body></html>";

/// The page of a website that is at the address instead of the service.
const WEBSITE: &str = "<!DOCTYPE html><html lang=\"en\"><head><title>Welcome</title></head><body>\
    <h1>It works!</h1></body></html>";

/// The first second of the year 2100, in Unix seconds.
const YEAR_2100: u64 = 4_102_444_800;

pub(crate) async fn intercept(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(endpoint) = Endpoint::of(request.method(), request.path()) else {
        return next.call(request).await;
    };
    let Some(state) = request.app_data::<web::Data<State>>().cloned() else {
        return next.call(request).await;
    };
    if state.has_stopped() {
        let (request, _) = request.into_parts();
        return Ok(close(request));
    }
    let mut call = Call::begin(&request, endpoint, state);
    // A statement of its own, so that the locks of the plan and of the world are never held together.
    let concern_accounts = call.state.faults().concern_accounts();
    let account = if concern_accounts { account_of(&request, endpoint, &call.state) } else { None };
    let verdict = call.state.faults().draw(endpoint, account.as_deref());
    let profiles = verdict.profiles;
    call.profiles = profiles;
    request.extensions_mut().insert(profiles);
    let latency = match endpoint.service() {
        Service::Gemini | Service::OpenAi | Service::Anthropic => call.state.gemini_latency,
        Service::X => call.state.x_latency,
        Service::Bluesky | Service::Mastodon | Service::Deepl | Service::LibreTranslate => Duration::ZERO,
    };
    let wait = latency + verdict.delay;
    if wait > Duration::ZERO {
        actix_rt::time::sleep(wait).await;
    }
    let fault = verdict.fault.or_else(|| profiles::fault(profiles, endpoint, request.request(), &call.state));
    let Some(fault) = fault else {
        let response = next.call(request).await?;
        return Ok(call.answer(response, None));
    };
    // Faults before the handler acts.
    let instead = match fault {
        Fault::Status(code) => Some(problem(endpoint, code)),
        Fault::X(problem) if endpoint.service() == Service::X => Some(named_problem(problem)),
        Fault::Bluesky(problem) if endpoint.service() == Service::Bluesky => {
            Some(bluesky::Problem::of_fault(problem).error_response())
        }
        Fault::Mastodon(habit) if endpoint.service() == Service::Mastodon => {
            request.extensions_mut().insert(habit);
            mastodon::Problem::of_fault(habit).map(|problem| problem.error_response())
        }
        Fault::Deepl(problem) if endpoint.service() == Service::Deepl => {
            request.extensions_mut().insert(problem);
            deepl::Problem::of_fault(problem).map(|problem| problem.error_response())
        }
        Fault::LibreTranslate(problem) if endpoint.service() == Service::LibreTranslate => {
            request.extensions_mut().insert(problem);
            libretranslate::Problem::of_fault(problem).map(|problem| problem.error_response())
        }
        Fault::X(_) | Fault::Bluesky(_) | Fault::Deepl(_) | Fault::LibreTranslate(_) => {
            Some(problem(endpoint, 500))
        }
        Fault::Translator(misbehavior) => {
            request.extensions_mut().insert(misbehavior);
            None
        }
        Fault::EndlessBody => Some(endless()),
        Fault::HtmlPage => Some(bot_guard()),
        Fault::Website => Some(HttpResponse::Ok().content_type("text/html; charset=UTF-8").body(WEBSITE)),
        Fault::Hang => return call.hang(request.request(), fault).await,
        Fault::DropConnection => {
            let (request, _) = request.into_parts();
            return Ok(call.drop_connection(request, fault));
        }
        Fault::Gemini(misbehavior) => {
            request.extensions_mut().insert(misbehavior);
            None
        }
        Fault::OpenAi(misbehavior) => {
            request.extensions_mut().insert(misbehavior);
            None
        }
        Fault::Anthropic(misbehavior) => {
            request.extensions_mut().insert(misbehavior);
            None
        }
        _ => None,
    };
    if let Some(response) = instead {
        if let Some(statuses) = call.limit_statuses_for(fault) {
            request.extensions_mut().insert(statuses);
        }
        if let Some(usage) = call.usage_for(fault) {
            request.extensions_mut().insert(usage);
        }
        return Ok(call.answer(request.into_response(response), Some(fault)));
    }
    let response = next.call(request).await?;
    // Faults after the handler has acted.
    match fault {
        Fault::HangAfterAct => call.hang(response.request(), fault).await,
        Fault::DropAfterAct => {
            let (request, _) = response.into_parts();
            Ok(call.drop_connection(request, fault))
        }
        Fault::StatusAfterAct(code) => {
            let (request, _) = response.into_parts();
            Ok(call.answer(ServiceResponse::new(request, problem(endpoint, code)), Some(fault)))
        }
        Fault::HalfBody => call.half_body(response, fault).await,
        Fault::InvalidUtf8 => Ok(call.answer(response.map_body(|_, body| invalid(body)), Some(fault))),
        Fault::Garbage => {
            let response = response.map_body(|_, _| BoxBody::new("{\"data\":[{\"id\":\"19\u{fffd}<<<"));
            Ok(call.answer(response, Some(fault)))
        }
        _ => Ok(call.answer(response, Some(fault))),
    }
}

/// The account that a call is about, by its handle.
fn account_of(request: &ServiceRequest, endpoint: Endpoint, state: &State) -> Option<String> {
    let query = form_urlencoded::parse(request.query_string().as_bytes());
    let mut named = query.filter(|(name, _)| matches!(&**name, "repo" | "handle" | "did" | "acct"));
    match endpoint.service() {
        Service::X => state.world().account_in(request.path()).map(|account| account.handle.clone()),
        Service::Gemini | Service::OpenAi | Service::Anthropic | Service::Deepl | Service::LibreTranslate => {
            None
        }
        Service::Bluesky => {
            let bluesky = state.bluesky();
            let name = named.next().map(|(_, name)| name.into_owned());
            let name = name.unwrap_or_else(|| request.path().trim_start_matches('/').to_owned());
            bluesky.find(&name).map(|index| bluesky.repos()[index].handle.clone())
        }
        Service::Mastodon => {
            let mastodon = state.mastodon();
            let index = match named.next() {
                Some((_, name)) => mastodon.find(&name),
                None => request.path().split('/').find_map(|part| mastodon.find_id(part)),
            };
            index.map(|index| mastodon.accounts()[index].handle())
        }
    }
}

/// Closes the connection without an answer.
fn close(request: HttpRequest) -> ServiceResponse<BoxBody> {
    if let Some(connection) = request.conn_data::<Connection>() {
        connection.close();
    }
    // The client does not receive this, because the socket is closed.
    ServiceResponse::new(request, HttpResponse::ServiceUnavailable().finish())
}

fn problem(endpoint: Endpoint, code: u16) -> HttpResponse {
    match endpoint.service() {
        Service::X => Problem::of_status(code).error_response(),
        Service::Gemini => GeminiProblem::of_status(code).error_response(),
        Service::OpenAi => OpenAiProblem::of_status(code).error_response(),
        Service::Anthropic => AnthropicProblem::of_status(code).error_response(),
        Service::Bluesky => bluesky::Problem::of_status(code).error_response(),
        Service::Mastodon => mastodon::Problem::of_status(code).error_response(),
        Service::Deepl => deepl::Problem::of_status(code).error_response(),
        Service::LibreTranslate => libretranslate::Problem::of_status(code).error_response(),
    }
}

fn named_problem(fault: XFault) -> HttpResponse {
    let mut response = Problem::of_fault(fault).error_response();
    if fault == XFault::ResetNow {
        response.headers_mut().insert(RETRY_AFTER, 0.into());
    }
    response
}

/// A list that never ends.
fn endless() -> HttpResponse {
    let chunk = web::Bytes::from_static(b"[\"and so on\"], ");
    let chunks = stream::once(future::ready(Ok::<_, Error>(web::Bytes::from_static(b"["))));
    let chunks = chunks.chain(stream::repeat_with(move || Ok(chunk.repeat(1024).into())));
    HttpResponse::Ok().content_type("application/json").streaming(chunks)
}

/// The body with every letter `a` replaced by a byte that UTF-8 does not have.
fn invalid(body: BoxBody) -> BoxBody {
    match body.try_into_bytes() {
        Ok(bytes) => {
            let bytes: Vec<u8> = bytes.iter().map(|byte| if *byte == b'a' { 0xff } else { *byte }).collect();
            BoxBody::new(bytes)
        }
        Err(body) => body,
    }
}

fn bot_guard() -> HttpResponse {
    HttpResponse::Forbidden()
        .content_type("text/html; charset=UTF-8")
        .insert_header(("server", "cloudflare"))
        .body(BOT_GUARD)
}

/// A call from its arrival to its entry in the log.
struct Call {
    state: web::Data<State>,
    endpoint: Endpoint,
    started: Instant,
    profiles: ActiveProfiles,
    /// None once the call is logged.
    record: Option<RequestRecord>,
}

impl Call {
    fn begin(request: &ServiceRequest, endpoint: Endpoint, state: web::Data<State>) -> Self {
        if endpoint.is_gemini() {
            let mut requests = state.requests();
            requests.generating += 1;
            requests.gemini.max_concurrent = requests.gemini.max_concurrent.max(requests.generating);
        }
        let record = RequestRecord {
            number: 0,
            at_ms: Timestamp::now().as_millisecond(),
            endpoint,
            method: request.method().to_string(),
            path: request.path().to_owned(),
            query: without_keys(request.query_string()),
            status: None,
            auth: None,
            account: None,
            fault: None,
            took_ms: 0,
        };
        Self {
            state,
            endpoint,
            started: Instant::now(),
            profiles: ActiveProfiles::default(),
            record: Some(record),
        }
    }

    fn took_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Logs the call, once.
    fn record_call(&mut self, request: &HttpRequest, status: Option<u16>, fault: Option<Fault>) {
        let took_ms = self.took_ms();
        let Some(record) = self.record.take() else {
            return;
        };
        let caller = request.extensions_mut().remove::<LoggedCaller>();
        let (auth, account) = caller.map_or((None, None), |caller| (Some(caller.auth), caller.account));
        self.state.requests().record(RequestRecord { status, auth, account, fault, took_ms, ..record });
        self.state.touch();
    }

    /// The limits in the headers of a 429 on demand: a window that is used up, or one with an absurd reset.
    fn limit_statuses_for(&self, fault: Fault) -> Option<LimitStatuses> {
        let now = now_ms();
        let unused = self.state.limiter().unused(self.endpoint, now);
        let (remaining, reset) = match fault {
            Fault::Status(429) => (0, unused.window.reset),
            Fault::X(XFault::ResetPast) => (0, now / 1000 - 3600),
            Fault::X(XFault::ResetNow) => (0, now / 1000),
            Fault::X(XFault::ResetFar) => (0, YEAR_2100),
            Fault::X(XFault::ResetUnused) => (unused.window.remaining, YEAR_2100),
            _ => return None,
        };
        Some(LimitStatuses { window: LimitStatus { remaining, reset, ..unused.window }, ..unused })
    }

    /// The window in the headers of a 429 on demand, on Bluesky and Mastodon.
    fn usage_for(&self, fault: Fault) -> Option<Usage> {
        let now = now_ms() / 1000;
        let unused = match self.endpoint.service() {
            Service::X
            | Service::Gemini
            | Service::OpenAi
            | Service::Anthropic
            | Service::Deepl
            | Service::LibreTranslate => return None,
            Service::Bluesky => bluesky::unused(now),
            Service::Mastodon => mastodon::unused(now),
        };
        let reset = match fault {
            Fault::Status(429) | Fault::Mastodon(MastodonFault::ResetUnix) => unused.reset,
            Fault::Bluesky(BlueskyFault::ResetPast) => now - 3600,
            Fault::Bluesky(BlueskyFault::ResetFar) => YEAR_2100,
            _ => return None,
        };
        Some(Usage { reset, ..unused.used_up() })
    }

    /// Adds the headers that the network sends with an answer.
    fn put_headers(&self, response: &mut ServiceResponse<BoxBody>, fault: Option<Fault>) {
        let usage = response.request().extensions().get::<Usage>().copied();
        match self.endpoint.service() {
            Service::Gemini
            | Service::OpenAi
            | Service::Anthropic
            | Service::Deepl
            | Service::LibreTranslate => {}
            Service::X => {
                let statuses = response.request().extensions().get::<LimitStatuses>().copied();
                let limiter = self.state.limiter();
                let statuses = statuses.unwrap_or_else(|| limiter.unused(self.endpoint, now_ms()));
                let day_headers = limiter.day_headers();
                drop(limiter);
                x::put_headers(response.headers_mut(), &statuses, day_headers, self.took_ms());
            }
            Service::Bluesky => {
                if let Some(usage) = usage {
                    bluesky::put_headers(response.headers_mut(), usage);
                }
            }
            Service::Mastodon => {
                if let Some(usage) = usage {
                    let is_unix = fault == Some(Fault::Mastodon(MastodonFault::ResetUnix));
                    let form = if is_unix { ResetForm::Unix } else { ResetForm::Iso };
                    mastodon::put_headers(response.headers_mut(), usage, form);
                }
            }
        }
    }

    fn answer(
        mut self,
        response: ServiceResponse<BoxBody>,
        fault: Option<Fault>,
    ) -> ServiceResponse<BoxBody> {
        let mut response = self.reshape(response);
        self.put_headers(&mut response, fault);
        if !response.headers().contains_key(CONTENT_TYPE) && response.status() != StatusCode::GONE {
            let json = HeaderValue::from_static("application/json; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, json);
        }
        self.record_call(response.request(), Some(response.status().as_u16()), fault);
        response
    }

    /// Lets the profiles change the answer.
    fn reshape(&self, response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
        let (request, response) = response.into_parts();
        let status = response.status();
        let response = response.map_body(|_, body| match body.try_into_bytes() {
            Ok(bytes) => {
                let reshaped =
                    profiles::reshape(self.profiles, self.endpoint, &request, &self.state, status, &bytes);
                reshaped.map_or_else(|| BoxBody::new(bytes), BoxBody::new)
            }
            // The sandbox's own bodies are never streamed; leave any other body alone.
            Err(body) => body,
        });
        ServiceResponse::new(request, response)
    }

    async fn hang(mut self, request: &HttpRequest, fault: Fault) -> Result<ServiceResponse<BoxBody>, Error> {
        self.record_call(request, None, Some(fault));
        std::future::pending().await
    }

    fn drop_connection(mut self, request: HttpRequest, fault: Fault) -> ServiceResponse<BoxBody> {
        self.record_call(&request, None, Some(fault));
        close(request)
    }

    async fn half_body(
        self,
        response: ServiceResponse<BoxBody>,
        fault: Fault,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        let state = self.state.clone();
        let response = self.answer(response, Some(fault));
        let (request, response) = response.into_parts();
        let (head, body) = response.into_parts();
        let body = to_bytes(body).await.unwrap_or_default();
        let mut raw = format!("HTTP/1.1 {}\r\n", head.status());
        for (name, value) in head.headers() {
            // The sandbox's own headers are ASCII.
            let _ = write!(raw, "{name}: {}\r\n", value.to_str().unwrap_or_default());
        }
        let _ = write!(raw, "{CONTENT_LENGTH}: {}\r\n\r\n", body.len());
        let mut raw = raw.into_bytes();
        raw.extend_from_slice(&body[..body.len() / 2]);
        if let Some(connection) = request.conn_data::<Connection>() {
            connection.close_after(&raw);
        }
        state.touch();
        Ok(ServiceResponse::new(request, HttpResponse::Ok().finish()))
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // In `drop`, so that calls whose client disconnected are counted too.
        if self.endpoint.is_gemini() {
            let mut requests = self.state.requests();
            requests.generating = requests.generating.saturating_sub(1);
        }
    }
}
