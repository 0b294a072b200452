//! Defines every key with its default, its type and its bounds, and the rules between keys. Each function reads all of
//! its keys before it gives up on one, so that all problems are reported.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use config::ValueKind;
use mynah_actors::{pipeline::RestartPolicies, publisher::Threads, supervision::RestartPolicy};
use mynah_domain::{
    backoff::Backoff,
    caps::{Cap, CapSetting, Caps},
};
use secrecy::ExposeSecret as _;

use super::{
    Needed, Registries, alerts, budget,
    engines::{self, Naming, Sections},
    kinds::{
        LEVELS, Read, TICK, brief, cache_address, cap, choice, count, duration, file, folder, ledger_address,
        listen, module_levels, preset, refuse, retention, text_of,
    },
    model::{
        ACTORS, AdminSettings, CacheSettings, ClusterSettings, EngineSettings, LedgerSettings, LogSettings,
        PublisherSettings, RouterSettings, Settings, ShutdownSettings, StatsSettings, SupervisorSettings,
        TranslatorSettings,
    },
    reader::Reader,
    secrets::{ADMIN_TOKEN, CACHE_PASSWORD, LEDGER_PASSWORD, Vault},
    sources::FollowedAccounts,
    targets::{self, Common, TargetAccount, Unconnected},
};
use crate::{
    credentials::Logins,
    http_client::Transport,
    networks::{Accounts, Followed, Network, Networks, Published},
    telemetry::logging::LogFormat,
};

const FORMATS: [(&str, LogFormat); 2] = [("text", LogFormat::Text), ("json", LogFormat::Json)];
const THREADS: [(&str, Threads); 2] = [("chain", Threads::Chain), ("standalone", Threads::Standalone)];

const ZERO: Duration = Duration::ZERO;
const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
pub(super) const HOUR: Duration = Duration::from_hours(1);
pub(super) const DAY: Duration = Duration::from_hours(24);
/// A lease that is renewed at a third of it must outlast a slow answer of the ledger.
const SHORTEST_LEASE: Duration = Duration::from_secs(3);
/// A longer one only makes accounts wait for longer after the death of an instance.
const LONGEST_LEASE: Duration = Duration::from_mins(5);

/// Reads all settings. `None` if there was a problem, which the reader or the vault records.
pub(super) fn settings(
    reader: &mut Reader<'_>,
    vault: &mut Vault<'_>,
    Registries { networks, engines: registered, only_engines }: Registries<'_>,
) -> Option<Settings> {
    let preset = reader.or("preset", "balanced", preset);
    reader.follow(preset.unwrap_or_default());
    let data_dir = reader.or("data_dir", "data", folder);
    if let Some(data_dir) = &data_dir {
        vault.open_store(data_dir);
    }
    let followed = FollowedAccounts::read(reader, networks);
    let sources = followed.read_rest(reader);
    let daily = reader.or("publisher.daily_cap", "50", cap);
    let monthly = reader.or("publisher.monthly_cap", "1000", cap);
    let general = |most: Option<u64>| most.map(|most| Cap { most, setting: CapSetting::AllTargets });
    let caps =
        daily.zip(monthly).map(|(daily, monthly)| Caps { daily: general(daily), monthly: general(monthly) });
    let target_accounts = targets::accounts(reader, networks, &followed);
    let sections = Sections::read(reader, registered);
    let mut own_engines = targets::own_engines(reader, &target_accounts, &sections.names());
    if only_engines.is_some() {
        own_engines.iter_mut().flatten().for_each(|own| *own = None);
    }
    let common = Common { followed: &followed, caps, engines: &own_engines };
    let targets = targets::read(reader, &target_accounts, &common);
    let naming = Naming { own: &own_engines, only: only_engines };
    let engines = engines::read(reader, vault, registered, &sections, naming, data_dir.as_deref());
    let sections: Vec<String> = followed.all.iter().map(|source| source.section.clone()).collect();
    let budgets = budget::Sections::read(reader, &sections, target_accounts.len(), networks);
    let (engine, of_engine) = match engines {
        Some((engine, budgets)) => (Some(engine), budgets),
        None => (None, None),
    };
    let transport = transport(reader);
    let connected = connect(reader, vault, networks, &followed, &target_accounts, transport);
    let router = router(reader);
    let translator = translator(reader);
    let cache = cache(reader, vault);
    let ledger = ledger(reader, vault);
    let cluster = cluster(reader);
    let publisher = publisher(reader);
    let stats = stats(reader);
    // The longest that one call may take, of those timeouts that could be read.
    let of_engines = engine.as_ref().map(EngineSettings::longest_call);
    let calls = of_engines.into_iter().chain([connected.longest_call]).max().unwrap_or_default();
    let supervisor = supervisor(reader, calls, connected.callers);
    let shutdown = shutdown(reader);
    let log = log(reader);
    let admin = admin(reader, vault);
    let alerts = alerts::read(reader, vault, transport);
    let sources = sources.into_iter().collect::<Option<Vec<_>>>()?.into_iter().zip(connected.sources?);
    let sources: Vec<_> = sources.map(|(source, connection)| Arc::new(source(connection))).collect();
    let budgets = budgets?;
    let targets = targets?.into_iter().zip(connected.targets?).map(|(target, connection)| {
        let Unconnected { source, finish } = target;
        Some(finish(sources.get(source)?.clone(), connection, budgets.zone()))
    });
    let targets: Vec<_> = targets.collect::<Option<_>>()?;
    let engine = engine?;
    let budgets = budgets.budgets(&sources, &targets, &of_engine?);
    budget::check_prices(reader, &budgets, &engine, &targets);
    Some(Settings {
        preset: preset?,
        data_dir: data_dir?,
        targets,
        sources,
        engine,
        transport: transport?,
        router: router?,
        translator: translator?,
        cache: cache?,
        ledger: ledger?,
        cluster: cluster?,
        publisher: publisher?,
        stats: stats?,
        supervisor: supervisor?,
        shutdown: shutdown?,
        log: log?,
        admin: admin?,
        alerts: alerts?,
        budgets: Arc::new(budgets),
        in_force: vec![],
        former: vec![],
        secrets: BTreeMap::new(),
        secret_files: vec![],
        logins: Logins::default(),
    })
}

/// An account in the settings.
pub(super) struct Account {
    /// Its network; the default network if the written one is unknown.
    pub(super) network: &'static dyn Network,
    /// Its handle, if it could be read.
    pub(super) handle: Option<String>,
    /// Whether the network could be read.
    is_sure: bool,
}

impl Account {
    /// Reads the network and the handle of a section of a source; `missing` says what to write if there is no handle.
    pub(super) fn followed(
        reader: &mut Reader<'_>,
        section: &str,
        networks: &Networks,
        missing: &str,
    ) -> Self {
        let names: Vec<_> = networks.iter().map(|network| (network.name(), network)).collect();
        Self::on(reader, section, networks, missing, choice(&names))
    }

    /// The same for a section of a target, whose network must be one that can be published on.
    pub(super) fn published(
        reader: &mut Reader<'_>,
        section: &str,
        networks: &Networks,
        missing: &str,
    ) -> Self {
        let all = networks.iter().map(|network| (network.name(), network));
        let names: Vec<_> = all.filter(|(_, network)| network.can_publish()).collect();
        Self::on(reader, section, networks, missing, |value| {
            let written = text_of(value).ok().and_then(|name| networks.named(name));
            match written.filter(|network| !network.can_publish()) {
                None => choice(&names)(value),
                Some(network) => refuse(
                    format!("nothing can be published on {}", network.title()),
                    format!(
                        "name the network of the account to publish on, such as {:?}; {:?} can only be a source's",
                        networks.default_network().name(),
                        network.name()
                    ),
                ),
            }
        })
    }

    fn on(
        reader: &mut Reader<'_>,
        section: &str,
        networks: &Networks,
        missing: &str,
        network: impl Fn(&ValueKind) -> Read<&'static dyn Network>,
    ) -> Self {
        let default = networks.default_network();
        let network = reader.or(&format!("{section}.network"), default.name(), network);
        let is_sure = network.is_some();
        let network = network.unwrap_or(default);
        let handle = reader.required(&format!("{section}.account"), missing, |value| network.handle(value));
        Self { network, handle, is_sure }
    }

    /// The handle, if both could be read.
    pub(super) fn whole(&self) -> Option<String> {
        self.handle.clone().filter(|_| self.is_sure)
    }

    /// Whether both are the same account.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.network.name() == other.network.name()
            && self
                .handle
                .as_ref()
                .zip(other.handle.as_ref())
                .is_some_and(|(one, other)| self.network.is_same_handle(one, other))
    }
}

/// The accounts' connections, as far as they could be read.
struct Connected {
    /// In the order of the sources.
    sources: Option<Vec<Arc<dyn Followed>>>,
    /// In the order of the targets; targets that share an account share its connection.
    targets: Option<Vec<Arc<dyn Published>>>,
    longest_call: Duration,
    /// The networks whose calls take as long as their settings say.
    callers: Vec<&'static str>,
}

/// Reads the section of each network, with the secrets of its accounts.
fn connect(
    reader: &mut Reader<'_>,
    vault: &mut Vault<'_>,
    networks: &Networks,
    followed: &FollowedAccounts,
    published: &[TargetAccount],
    transport: Option<Transport>,
) -> Connected {
    let mut sources: Vec<Option<Arc<dyn Followed>>> = vec![None; followed.all.len()];
    let mut targets: Vec<Option<Arc<dyn Published>>> = vec![None; published.len()];
    let (mut longest_call, mut callers) = (Duration::ZERO, Vec::new());
    for network in networks.iter() {
        let is_on = |account: &Account| account.network.name() == network.name();
        let followed: Vec<_> =
            followed.all.iter().enumerate().filter(|(_, source)| is_on(&source.account)).collect();
        // Each account once, with the places of the targets that share it.
        let mut own: Vec<(&Account, Vec<usize>)> = Vec::new();
        for (index, TargetAccount { account, .. }) in published.iter().enumerate() {
            if !is_on(account) {
                continue;
            }
            match own.iter_mut().find(|(first, _)| account.is(first)) {
                Some((_, sharing)) => sharing.push(index),
                None => own.push((account, vec![index])),
            }
        }
        let mut accounts = Accounts {
            followed: followed.iter().map(|(_, source)| source.account.handle.as_deref()).collect(),
            templates: followed.iter().map(|(_, source)| source.template.as_deref()).collect(),
            published: own.iter().map(|(account, _)| account.handle.as_deref()).collect(),
        };
        if targets.is_empty() {
            // Stands for a target that could not be read, so that nothing is reported as missing because of it.
            accounts.published.push(None);
        }
        let connections = network.read(reader, vault, &accounts, transport);
        if connections.as_ref().is_none_or(|connections| !connections.longest_call.is_zero()) {
            callers.push(network.name());
        }
        let Some(connections) = connections else { continue };
        longest_call = longest_call.max(connections.longest_call);
        for ((index, _), connection) in followed.iter().zip(connections.followed) {
            sources[*index] = Some(connection);
        }
        for ((_, sharing), connection) in own.iter().zip(connections.published) {
            for index in sharing {
                targets[*index] = Some(connection.clone());
            }
        }
    }
    let (sources, targets) = (sources.into_iter().collect(), targets.into_iter().collect());
    Connected { sources, targets, longest_call, callers }
}

fn transport(reader: &mut Reader<'_>) -> Option<Transport> {
    let connect_timeout = reader.or("http.connect_timeout", "5s", duration(TICK..=MINUTE));
    let keep_alive = reader.or("http.keep_alive", "15s", duration(ZERO..=HOUR));
    let dns_ttl = reader.or("http.dns_ttl", "60s", duration(ZERO..=DAY));
    Some(Transport { connect_timeout: connect_timeout?, keep_alive: keep_alive?, dns_ttl: dns_ttl? })
}

fn router(reader: &mut Reader<'_>) -> Option<RouterSettings> {
    let queue = reader.by_preset("router.queue", ["1000", "1000", "100"], count(1..=1_000_000));
    Some(RouterSettings { queue: queue? })
}

fn translator(reader: &mut Reader<'_>) -> Option<TranslatorSettings> {
    let pool_size = reader.by_preset("translator.pool_size", ["4", "64", "2"], count(1..=256));
    let arbiters = reader.by_preset("translator.arbiters", ["2", "2", "1"], count(1..=64));
    let (pool_size, arbiters) = (pool_size?, arbiters?);
    // A thread without a worker would only cost memory.
    Some(TranslatorSettings { pool_size, arbiters: arbiters.min(pool_size) })
}

fn cache(reader: &mut Reader<'_>, vault: &mut Vault<'_>) -> Option<CacheSettings> {
    let max_entries =
        reader.by_preset("cache.max_entries", ["10000", "50000", "1000"], count(1..=10_000_000));
    let ttl = reader.or("cache.ttl", "7d", duration(MINUTE..=DAY * 365));
    let snapshot_interval = reader.or("cache.snapshot_interval", "60s", duration(SECOND..=DAY));
    let warm_up = reader.optional("cache.warm_up", file);
    let server = reader.or("cache.url", "none", cache_address);
    let password = vault.find(CACHE_PASSWORD).ok()?;
    let server = server?.map(|server| match &password {
        Some(password) => server.with_password(password),
        None => server,
    });
    Some(CacheSettings {
        max_entries: max_entries?,
        ttl: ttl?,
        snapshot_interval: snapshot_interval?,
        warm_up: warm_up.ok()?,
        server,
    })
}

fn ledger(reader: &mut Reader<'_>, vault: &mut Vault<'_>) -> Option<LedgerSettings> {
    let server = reader.or("ledger.url", "sqlite", ledger_address);
    let retention = reader.or("ledger.retention", "365d", retention);
    let password = vault.find(LEDGER_PASSWORD).ok()?;
    let server = server?.map(|server| match &password {
        Some(password) => server.with_password(password),
        None => server,
    });
    Some(LedgerSettings { server, retention: retention? })
}

fn publisher(reader: &mut Reader<'_>) -> Option<PublisherSettings> {
    let min_interval = reader.or("publisher.min_interval", "5s", duration(ZERO..=DAY));
    let burst = reader.or("publisher.burst", "1", count(1..=100));
    let order_patience = reader.or("publisher.order_patience", "1h", duration(SECOND..=DAY * 30));
    let threads = reader.or("publisher.threads", "chain", choice(&THREADS));
    let settle = reader.or("publisher.settle", "5s", duration(ZERO..=MINUTE * 5));
    Some(PublisherSettings {
        min_interval: min_interval?,
        burst: burst?,
        order_patience: order_patience?,
        threads: threads?,
        settle: settle?,
    })
}

fn stats(reader: &mut Reader<'_>) -> Option<StatsSettings> {
    let interval = reader.or("stats.interval", "30s", duration(TICK..=HOUR));
    Some(StatsSettings { interval: interval? })
}

/// The shortest time without movement after which the pipeline counts as stalled.
const STALLED_AFTER: Duration = Duration::from_secs(45);

fn supervisor(
    reader: &mut Reader<'_>,
    calls: Duration,
    mut callers: Vec<&'static str>,
) -> Option<SupervisorSettings> {
    let max_restarts = reader.or("supervisor.max_restarts", "5", count(0..=1000));
    let window = reader.or("supervisor.window", "60s", duration(SECOND..=DAY));
    let base = reader.or("supervisor.backoff", "500ms", duration(MILLISECOND..=HOUR));
    let max = reader.or("supervisor.backoff_max", "30s", duration(MILLISECOND..=HOUR));
    let patience = reader.or("supervisor.patience", "5m", duration(SECOND..=DAY));
    let default = (|| {
        let backoff = Backoff { base: base?, max: max? };
        Some(RestartPolicy { max_restarts: max_restarts?, window: window?, backoff })
    })();
    // Even if the general policy is wrong, the actors' sections are read for their own problems.
    let follow = default.unwrap_or(RestartPolicy {
        max_restarts: 0,
        window: SECOND,
        backoff: Backoff { base: ZERO, max: HOUR },
    });
    if default.is_some() {
        in_order(reader, "supervisor", follow.backoff);
    }
    let mut of = |actor| policy_of(reader, actor, follow);
    let [poller, router, translator, cache, publisher, stats] = ACTORS.map(&mut of);
    let policies = RestartPolicies { poller, router, translator, cache, publisher, stats };
    if let Some(patience) = patience.filter(|patience| *patience <= calls) {
        callers.insert(0, "engine");
        let last = callers.pop().unwrap_or_default();
        reader.report(
            "supervisor.patience",
            format!("{} is not longer than the longest call", brief(patience)),
            format!(
                "raise it above {}, or lower the timeouts of {} and {last}",
                brief(calls),
                callers.join(", ")
            ),
        );
    }
    let patience = patience?;
    // Longer than any call, so that a slow upstream does not count as a stall, and below a minute with usual timeouts.
    let stalled_after = STALLED_AFTER.max(calls * 3 / 2).min(patience);
    Some(SupervisorSettings { policy: default?, actors: policies, patience, stalled_after })
}

/// The policy of one kind of actor; unset keys take the general policy's values.
fn policy_of(reader: &mut Reader<'_>, actor: &str, follow: RestartPolicy) -> RestartPolicy {
    let section = format!("supervisor.{actor}");
    let key = |name: &str| format!("{section}.{name}");
    let max_restarts = reader.optional(&key("max_restarts"), count(0..=1000)).ok().flatten();
    let window = reader.optional(&key("window"), duration(SECOND..=DAY)).ok().flatten();
    let base = reader.optional(&key("backoff"), duration(MILLISECOND..=HOUR)).ok().flatten();
    let max = reader.optional(&key("backoff_max"), duration(MILLISECOND..=HOUR)).ok().flatten();
    let backoff =
        Backoff { base: base.unwrap_or(follow.backoff.base), max: max.unwrap_or(follow.backoff.max) };
    if base.is_some() || max.is_some() {
        in_order(reader, &section, backoff);
    }
    RestartPolicy {
        max_restarts: max_restarts.unwrap_or(follow.max_restarts),
        window: window.unwrap_or(follow.window),
        backoff,
    }
}

/// Checks that the first wait is not longer than the longest.
fn in_order(reader: &mut Reader<'_>, section: &str, backoff: Backoff) {
    if backoff.base <= backoff.max {
        return;
    }
    // At least one of the two was written, because the defaults are in order.
    let (first, longest) = (format!("{section}.backoff"), format!("{section}.backoff_max"));
    let written = if reader.is_written(&first) { &first } else { &longest };
    reader.report(
        written,
        format!("{first} is longer than {longest}"),
        format!("lower {first} or raise {longest}"),
    );
}

fn cluster(reader: &mut Reader<'_>) -> Option<ClusterSettings> {
    let lease = reader.or("cluster.lease", "10s", duration(SHORTEST_LEASE..=LONGEST_LEASE));
    Some(ClusterSettings { lease: lease? })
}

fn shutdown(reader: &mut Reader<'_>) -> Option<ShutdownSettings> {
    let grace = reader.or("shutdown.grace", "20s", duration(ZERO..=HOUR));
    Some(ShutdownSettings { grace: grace? })
}

/// The minimum length of a token if other machines can reach the API.
const SHORTEST_ADMIN_TOKEN: usize = 16;

fn admin(reader: &mut Reader<'_>, vault: &mut Vault<'_>) -> Option<AdminSettings> {
    let listen = reader.or("admin.listen", "127.0.0.1:7878", listen);
    let token = vault.find(ADMIN_TOKEN).ok()?;
    let listen = listen?;
    let is_missing = token.is_none() && vault.needed() != Needed::NoSecret;
    if let Some(address) = listen.filter(|address| is_missing && !address.ip().is_loopback()) {
        reader.report(
            "admin.listen",
            format!("there is no token, so anyone who can reach {address} could control Mynah"),
            format!(
                "listen on this machine only, \"127.0.0.1:{}\", or set {ADMIN_TOKEN}, or set {ADMIN_TOKEN}_FILE to a file that contains it",
                address.port()
            ),
        );
        return None;
    }
    if let (Some(address), Some(token)) = (listen.filter(|address| !address.ip().is_loopback()), &token)
        && token.expose_secret().len() < SHORTEST_ADMIN_TOKEN
    {
        reader.report(
            "admin.listen",
            format!("the token has fewer than {SHORTEST_ADMIN_TOKEN} characters, so anyone who can reach {address} could guess it"),
            format!(
                "set {ADMIN_TOKEN} to a longer token, such as the output of `openssl rand -hex 32`, or listen on this machine only, \"127.0.0.1:{}\"",
                address.port()
            ),
        );
        return None;
    }
    Some(AdminSettings { listen, token })
}

fn log(reader: &mut Reader<'_>) -> Option<LogSettings> {
    let level = reader.or("log.level", "info", choice(&LEVELS));
    let format = reader.or("log.format", "text", choice(&FORMATS));
    let modules = reader.optional("log.modules", module_levels);
    Some(LogSettings { level: level?, format: format?, modules: modules.ok()?.unwrap_or_default() })
}
