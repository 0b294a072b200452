//! A stream that is cut again and again loses no post.

use mynah_sandbox::{RateLimits, SandboxConfig};

use super::{
    dice::{seed, size},
    support::cuts::{Cuts, Cuttable, lose_nothing},
    *,
};

impl Cuttable for Proxy {
    fn is_open(&self) -> bool {
        self.streams() > 0
    }

    fn cut(&self) {
        self.cut_streams();
    }
}

#[actix_rt::test]
async fn a_connection_that_is_cut_at_random_loses_nothing() {
    if !Town::<Mock>::is_there() {
        return;
    }
    let server = Server::get(Program::Mock);
    let (account, proxy) = (server.account("town_live").await, Proxy::to(&server.url));
    let config = SandboxConfig {
        account: "town".into(),
        rate_limits: RateLimits::unlimited(),
        ..SandboxConfig::default()
    };
    let sandbox = mynah_sandbox::start(config.target("town_es", "es")).await.unwrap();
    let url = sandbox.url();
    let mut town = support::Town::on(sandbox, &["es"], "gemini");
    town.environment.push((account.variable(), account.token.clone()));
    let settings = format!(
        "data_dir = \"{}\"\n[source]\nnetwork = \"mastodon\"\naccount = \"{}\"\nmode = \"stream\"\nstart = \"beginning\"\n\
         poll_interval = \"1h\"\n[[targets]]\nlanguage = \"es\"\naccount = \"town_es\"\n\
         [engine]\norder = [\"gemini\"]\n[engine.gemini]\nbase_url = \"{url}\"\n[x]\nbase_url = \"{url}\"\n\
         [mastodon]\nbase_url = \"{}\"\n[publisher]\nmin_interval = \"0s\"\ndaily_cap = \"none\"\nmonthly_cap = \"none\"\n\
         [admin]\nlisten = \"127.0.0.1:0\"\n",
        town.folder.path().join("data").display(),
        account.handle(),
        proxy.url(),
    );
    std::fs::write(town.config(), settings).unwrap();
    let (mut running, _) = town.serve().await;
    let cuts = Cuts { count: size("LIVE_CUTS", 10), seed: seed() };
    lose_nothing("mastodon live", cuts, &town, &mut running, &proxy, async |number| {
        account.publish(&support::message(number), json!({"language": "en"})).await;
    })
    .await;
}
