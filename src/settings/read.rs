//! Every key there is, with its default, its kind and its bounds; and the rules that hold between keys. Each function
//! reads all of its keys before it gives up on one, so that all problems are told.

use std::time::Duration;

use mynah_actors::{
    publisher::Threads,
    supervision::{RestartPolicies, RestartPolicy},
};
use mynah_domain::{Language, backoff::Backoff, caps::Caps, filters::Filters};
use secrecy::ExposeSecret as _;

use super::{
    kinds::{
        CONNECTIONS, LEVELS, TICK, base_url, brief, call, cap, choice, count, duration, engines, file,
        filters, flag, folder, handle, hosts, language, listen, mark, module_levels, preset, start,
    },
    model::{
        ACTORS, AdminSettings, CacheSettings, EngineSettings, LogSettings, NETWORKS, PublisherSettings,
        RouterSettings, Settings, ShutdownSettings, SourceSettings, StatsSettings, SupervisorSettings,
        TranslatorSettings,
    },
    reader::Reader,
    secrets::{ADMIN_TOKEN, Vault},
    targets::{self, Followed},
};
use crate::{
    engines::{EngineKind, EngineSection, Engines},
    http_client::Transport,
    networks::x::client::XSettings,
    telemetry::logging::LogFormat,
};

const FORMATS: [(&str, LogFormat); 2] = [("text", LogFormat::Text), ("json", LogFormat::Json)];
const THREADS: [(&str, Threads); 2] = [("chain", Threads::Chain), ("standalone", Threads::Standalone)];

const ZERO: Duration = Duration::ZERO;
const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// Reads them all. `None` where there was a problem; the reader or the vault has it.
pub(super) fn settings(
    reader: &mut Reader<'_>,
    vault: &mut Vault<'_>,
    engines: &Engines,
) -> Option<Settings> {
    let preset = reader.or("preset", "balanced", preset);
    reader.follow(preset.unwrap_or_default());
    let data_dir = reader.or("data_dir", "data", folder);
    let account = reader.required("source.account", "write the handle of the account to follow", handle);
    let spoken = reader.or("source.language", "en", language);
    let source = source(reader, account.clone(), spoken);
    let daily = reader.or("publisher.daily_cap", "50", cap);
    let monthly = reader.or("publisher.monthly_cap", "1000", cap);
    let caps = daily.zip(monthly).map(|(daily, monthly)| Caps { daily, monthly });
    let targets = targets::read(reader, vault, &Followed { account, language: spoken, caps });
    let first = targets.as_ref().and_then(|targets| targets.first());
    let read_auth = vault.reader(first.map(|first| first.auth.clone()));
    let engine = engine(reader, vault, engines);
    let transport = transport(reader);
    let x = x(reader, transport);
    let media_hosts = reader.or("x.media_hosts", "pbs.twimg.com, video.twimg.com", hosts);
    let router = router(reader);
    let translator = translator(reader);
    let cache = cache(reader);
    let publisher = publisher(reader);
    let stats = stats(reader);
    // The longest that one call may take, of those whose time could be read.
    let of_engines = engine.as_ref().map(EngineSettings::longest_call);
    let calls = of_engines.into_iter().chain(x.as_ref().map(|x| x.timeout)).max().unwrap_or_default();
    let supervisor = supervisor(reader, calls);
    let shutdown = shutdown(reader);
    let log = log(reader);
    let admin = admin(reader, vault);
    Some(Settings {
        preset: preset?,
        data_dir: data_dir?,
        source: source?,
        read_auth: read_auth?,
        targets: targets?,
        engine: engine?,
        x: x?,
        transport: transport?,
        media_hosts: media_hosts?,
        router: router?,
        translator: translator?,
        cache: cache?,
        publisher: publisher?,
        stats: stats?,
        supervisor: supervisor?,
        shutdown: shutdown?,
        log: log?,
        admin: admin?,
        in_force: vec![],
        former: vec![],
        secret_files: vec![],
    })
}

fn source(
    reader: &mut Reader<'_>,
    account: Option<String>,
    language: Option<Language>,
) -> Option<SourceSettings> {
    let network = reader.or("source.network", "x", choice(&NETWORKS));
    let trust_language = reader.or("source.trust_language", "true", flag);
    let poll_interval = reader.or("source.poll_interval", "60s", duration(TICK..=DAY));
    let start = reader.or("source.start", "now", start);
    let reposts = reader.or("source.reposts", "false", flag);
    let replies = reader.or("source.replies", "false", flag);
    let quotes = reader.or("source.quotes", "true", flag);
    let include = reader.optional("source.include", filters);
    let exclude = reader.optional("source.exclude", filters);
    let opt_out = reader.or("source.opt_out", "#notranslate", mark);
    let page_size = reader.or("source.page_size", "100", count(5..=100));
    Some(SourceSettings {
        network: network?,
        account: account?,
        language: language?,
        trust_language: trust_language?,
        poll_interval: poll_interval?,
        start: start?,
        reposts: reposts?,
        page_size: page_size?,
        replies: replies?,
        quotes: quotes?,
        opt_out: opt_out?,
        filters: Filters {
            include: include.ok()?.unwrap_or_default(),
            exclude: exclude.ok()?.unwrap_or_default(),
        },
    })
}

fn engine(reader: &mut Reader<'_>, vault: &mut Vault<'_>, known: &Engines) -> Option<EngineSettings> {
    let names: Vec<&'static str> = known.iter().map(EngineKind::name).collect();
    let order = reader.or("engine.order", "gemini, apertium", engines(&names));
    let timeout = reader.or("engine.timeout", "30s", call);
    // All are read, whether they are in the order or not: what is written is checked.
    let mut configured = Vec::new();
    let mut unused = Vec::new();
    for kind in known.iter() {
        let place = order.as_ref().and_then(|order| order.iter().position(|name| *name == kind.name()));
        let section = EngineSection { name: kind.name(), timeout, is_used: place.is_some() };
        let engine = kind.read(&section, reader, vault);
        match place {
            Some(place) => configured.push((place, engine)),
            None => unused.push(kind),
        }
    }
    configured.sort_by_key(|(place, _)| *place);
    let configured = configured.into_iter().map(|(_, engine)| engine).collect::<Option<_>>();
    order?;
    Some(EngineSettings { order: configured?, unused })
}

fn x(reader: &mut Reader<'_>, transport: Option<Transport>) -> Option<XSettings> {
    let base_url = reader.or("x.base_url", "https://api.x.com", base_url);
    let timeout = reader.or("x.timeout", "20s", call);
    let connections = reader.by_preset("x.connections", ["4", "16", "2"], count(CONNECTIONS));
    Some(XSettings {
        base_url: base_url?,
        timeout: timeout?,
        connections: connections?,
        transport: transport?,
    })
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

fn cache(reader: &mut Reader<'_>) -> Option<CacheSettings> {
    let max_entries =
        reader.by_preset("cache.max_entries", ["10000", "50000", "1000"], count(1..=10_000_000));
    let ttl = reader.or("cache.ttl", "7d", duration(MINUTE..=DAY * 365));
    let snapshot_interval = reader.or("cache.snapshot_interval", "60s", duration(SECOND..=DAY));
    let warm_up = reader.optional("cache.warm_up", file);
    Some(CacheSettings {
        max_entries: max_entries?,
        ttl: ttl?,
        snapshot_interval: snapshot_interval?,
        warm_up: warm_up.ok()?,
    })
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

/// How long nothing may move, at the least, before that counts as a standstill.
const STALLED_AFTER: Duration = Duration::from_secs(45);

fn supervisor(reader: &mut Reader<'_>, calls: Duration) -> Option<SupervisorSettings> {
    let max_restarts = reader.or("supervisor.max_restarts", "5", count(0..=1000));
    let window = reader.or("supervisor.window", "60s", duration(SECOND..=DAY));
    let base = reader.or("supervisor.backoff", "500ms", duration(MILLISECOND..=HOUR));
    let max = reader.or("supervisor.backoff_max", "30s", duration(MILLISECOND..=HOUR));
    let patience = reader.or("supervisor.patience", "5m", duration(SECOND..=DAY));
    let default = (|| {
        let backoff = Backoff { base: base?, max: max? };
        Some(RestartPolicy { max_restarts: max_restarts?, window: window?, backoff })
    })();
    // Where the defaults are wrong, what follows them is read all the same, for its own problems.
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
        reader.complain(
            "supervisor.patience",
            format!("{} is not longer than a call may take", brief(patience)),
            format!("raise it over {}, or lower the timeouts of engine and x", brief(calls)),
        );
    }
    let patience = patience?;
    // Longer than any call, so that a slow upstream is no standstill, and with usual timeouts less than a minute.
    let stalled_after = STALLED_AFTER.max(calls * 3 / 2).min(patience);
    Some(SupervisorSettings { policy: default?, actors: policies, patience, stalled_after })
}

/// The policy of one sort of actor; what is not written follows the policy of all.
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

/// The first wait is no longer than the longest.
fn in_order(reader: &mut Reader<'_>, section: &str, backoff: Backoff) {
    if backoff.base <= backoff.max {
        return;
    }
    // One of the two was written, as the defaults are in order.
    let (first, longest) = (format!("{section}.backoff"), format!("{section}.backoff_max"));
    let written = if reader.is_written(&first) { &first } else { &longest };
    reader.complain(
        written,
        format!("the first wait, {first}, is longer than the longest, {longest}"),
        format!("lower {first} or raise {longest}"),
    );
}

fn shutdown(reader: &mut Reader<'_>) -> Option<ShutdownSettings> {
    let grace = reader.or("shutdown.grace", "20s", duration(ZERO..=HOUR));
    Some(ShutdownSettings { grace: grace? })
}

/// The fewest characters of a token that others than this machine can try.
const SHORTEST_ADMIN_TOKEN: usize = 16;

fn admin(reader: &mut Reader<'_>, vault: &mut Vault<'_>) -> Option<AdminSettings> {
    let listen = reader.or("admin.listen", "127.0.0.1:7878", listen);
    let token = vault.admin()?;
    let listen = listen?;
    if let Some(address) = listen.filter(|address| token.is_none() && !address.ip().is_loopback()) {
        reader.complain(
            "admin.listen",
            format!("whoever reaches {address} could steer Mynah, as there is no token"),
            format!(
                "listen on this machine alone, \"127.0.0.1:{}\", or set {ADMIN_TOKEN}, or {ADMIN_TOKEN}_FILE to a file with it",
                address.port()
            ),
        );
        return None;
    }
    if let (Some(address), Some(token)) = (listen.filter(|address| !address.ip().is_loopback()), &token)
        && token.expose_secret().len() < SHORTEST_ADMIN_TOKEN
    {
        reader.complain(
            "admin.listen",
            format!("whoever reaches {address} could guess the token, which has fewer than {SHORTEST_ADMIN_TOKEN} characters"),
            format!(
                "set {ADMIN_TOKEN} to a longer token, such as the output of `openssl rand -hex 32`, or listen on this machine alone, \"127.0.0.1:{}\"",
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
