use mynah_domain::ports::SystemClock;
use mynah_sandbox::{
    Endpoint, EndpointPattern, Fault, FaultPlan, FaultRule, Sandbox, SandboxConfig, TimelinePost,
};

use super::*;
use crate::{http_client::Transport, ledger, networks::x::source::XSourceSettings};

struct Bench {
    sandbox: Sandbox,
    stream: Arc<SharedStream>,
    folder: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Self {
        let config = SandboxConfig {
            account: "town".into(),
            also_followed: vec!["port".into()],
            ..SandboxConfig::default()
        };
        let sandbox = mynah_sandbox::start(config).await.unwrap();
        Self { sandbox, stream: Arc::default(), folder: tempfile::tempdir().unwrap() }
    }

    fn live_with(&self, account: &str, auth: XAuth, stream: Arc<SharedStream>) -> XLive {
        let x = XSettings {
            base_url: self.sandbox.url().parse().unwrap(),
            timeout: Duration::from_secs(5),
            connections: 1,
            transport: Transport::default(),
        };
        let settings = XSourceSettings { x, account: account.into(), auth, reposts: false, stream: None };
        let file = self.folder.path().join(format!("{account}.sqlite"));
        let ledger = ledger::open(&file, Arc::new(SystemClock)).unwrap();
        XLive::new(&XSource::new(settings, ledger), stream)
    }

    fn live(&self, account: &str) -> XLive {
        let token = mynah_sandbox::credentials(account).app_bearer_token;
        self.live_with(account, XAuth::App(token.into()), self.stream.clone())
    }

    fn post(&self, account: &str) {
        self.sandbox.add_post_on(account, TimelinePost::new("Hello"));
    }
}

#[actix_rt::test]
async fn each_source_hears_of_its_own_posts_on_one_connection() {
    let bench = Bench::new().await;
    let mut town = bench.live("town").connect().await.unwrap();
    let mut port = bench.live("port").connect().await.unwrap();
    bench.post("port");
    port.next().await.unwrap();
    bench.post("town");
    // It skips the port's post, which came first.
    town.next().await.unwrap();
    assert_eq!(bench.sandbox.count(Endpoint::Stream).requests, 1);
    assert!(futures_util::FutureExt::now_or_never(port.next()).is_none(), "nothing new of the port");
}

#[actix_rt::test]
async fn a_connection_that_is_cut_is_lost_for_all_and_can_be_opened_again() {
    let bench = Bench::new().await;
    let lives = [bench.live("town"), bench.live("port")];
    for _ in 0..3 {
        let mut town = lives[0].connect().await.unwrap();
        let mut port = lives[1].connect().await.unwrap();
        bench.sandbox.cut_stream();
        for news in [&mut town, &mut port] {
            assert!(matches!(news.next().await, Err(SourceError::Unavailable(_))));
        }
    }
    assert_eq!(bench.sandbox.count(Endpoint::Stream).requests, 3);
    // The rules are still there.
    let added = bench
        .sandbox
        .requests()
        .iter()
        .filter(|call| call.endpoint == Endpoint::StreamRules && call.method == "POST")
        .count();
    assert_eq!(added, 2);
}

#[actix_rt::test]
async fn a_second_connection_of_the_app_is_refused_for_now() {
    let bench = Bench::new().await;
    let _first = bench.live("town").connect().await.unwrap();
    let token = mynah_sandbox::credentials("port").app_bearer_token;
    let other = bench.live_with("port", XAuth::App(token.into()), Arc::default());
    let refused = other.connect().await.err().unwrap();
    assert!(
        matches!(&refused, SourceError::RateLimited { reason, .. } if reason.contains("maximum allowed")),
        "{refused:?}"
    );
}

#[actix_rt::test]
async fn only_the_apps_own_token_opens_a_stream() {
    let bench = Bench::new().await;
    let token = mynah_sandbox::credentials("town").user_bearer_token;
    let live = bench.live_with("town", XAuth::User2(token.into()), Arc::default());
    let refused = live.connect().await.err().unwrap();
    assert!(refused.to_string().contains("X_BEARER_TOKEN"), "{refused}");
    assert_eq!(bench.sandbox.requests().len(), 0);
}

#[actix_rt::test]
async fn an_answer_that_is_no_stream_is_a_lost_connection_and_no_news() {
    for fault in [Fault::Garbage, Fault::Status(503), Fault::DropConnection] {
        let bench = Bench::new().await;
        let rules = vec![FaultRule::new(EndpointPattern::One(Endpoint::Stream), fault)];
        bench.sandbox.set_faults(FaultPlan { rules, ..FaultPlan::default() });
        let live = bench.live("town");
        let lost = match live.connect().await {
            Ok(mut news) => news.next().await.unwrap_err(),
            Err(lost) => lost,
        };
        assert!(lost.is_passing(), "{fault:?}: {lost:?}");
    }
}

#[test]
fn lines_are_posts_signs_of_life_or_the_reason_of_an_end() {
    let post = br#"{"data":{"id":"1"},"matching_rules":[{"id":"12","tag":"mynah"}]}"#;
    let two = [&post[..], b"\r\n\r\n", post, b"\r\n"].concat();
    assert_eq!(events(&two).unwrap().len(), 2);
    assert_eq!(events(b"\r\n").unwrap().len(), 0);
    let end = br#"{"errors":[{"title":"operational-disconnect","disconnect_type":"UpstreamOperationalDisconnect","detail":"This stream has been disconnected for operational reasons."}]}"#;
    assert!(events(end).unwrap_err().contains("operational reasons"));
    for garbage in [&b"<html>"[..], b"{\"data\":", b"\xff\xfe"] {
        assert!(events(garbage).unwrap_err().contains("cannot be read"), "{garbage:?}");
    }
}
