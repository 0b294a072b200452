//! What systemd learns about the service from `NOTIFY_SOCKET`: when it is ready, reloads, works, hangs and stops.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

mod support;

use std::{
    os::unix::net::UnixDatagram,
    path::Path,
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use support::{PATIENCE, Running, Signal, Town, numbered, run};

/// A service manager that listens to one service.
struct Manager {
    messages: Receiver<String>,
}

impl Manager {
    /// Listens on a socket in the town's folder, which the town's commands find in their environment.
    fn of(town: &mut Town, watchdog: Option<Duration>) -> Self {
        let socket = town.folder.path().join("notify");
        town.environment.push(("NOTIFY_SOCKET".into(), socket.display().to_string()));
        if let Some(time) = watchdog {
            town.environment.push(("WATCHDOG_USEC".into(), time.as_micros().to_string()));
        }
        Self::on(&socket)
    }

    fn on(socket: &Path) -> Self {
        let socket = UnixDatagram::bind(socket).unwrap();
        let (sender, messages) = channel();
        // A socket that nobody reads would soon block the service.
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = socket.recv(&mut buffer) {
                let message = String::from_utf8(buffer[..length].to_vec()).unwrap();
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        Self { messages }
    }

    /// The next message with this line, and those before it.
    #[track_caller]
    fn until(&self, line: &str, town: &Town) -> (String, Vec<String>) {
        let (begun, mut before) = (Instant::now(), vec![]);
        loop {
            let Ok(message) = self.messages.recv_timeout(PATIENCE.saturating_sub(begun.elapsed())) else {
                panic!("no message {line} after {before:?}:\n{}", town.log_tail());
            };
            if message.lines().any(|other| other == line) {
                return (message, before);
            }
            before.push(message);
        }
    }
}

fn field<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
}

/// The monotonic clock in microseconds, as the service manager reads it.
fn monotonic_now() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
}

async fn town() -> Town {
    Town::new(numbered(1), &["es"], "gemini").await
}

fn stop(running: Running) {
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn the_manager_learns_of_the_start_each_reload_and_the_stop() {
    let mut town = town().await;
    let manager = Manager::of(&mut town, None);
    let running = town.start(&["run"]);
    let (_, before) = manager.until("READY=1", &town);
    assert!(before.is_empty(), "{before:?}");
    // Whatever starts after Mynah can use its commands at once.
    run(&town, &["status"]).assert_success();
    manager.until("STATUS=ready", &town);

    let asked_at = monotonic_now();
    running.signal(Signal::HUP);
    let (reloading, before) = manager.until("RELOADING=1", &town);
    assert!(!before.concat().contains("READY=1"), "{before:?}");
    let began_at: i64 = field(&reloading, "MONOTONIC_USEC").unwrap().parse().unwrap();
    assert!((asked_at..=monotonic_now()).contains(&began_at), "{asked_at} {reloading}");
    let (reloaded, _) = manager.until("READY=1", &town);
    assert_eq!(field(&reloaded, "STATUS"), Some("settings reloaded"));

    run(&town, &["reload"]).assert_success();
    manager.until("RELOADING=1", &town);
    manager.until("READY=1", &town);

    // A reload that fails ends, too, or the manager would wait for it.
    let settings = std::fs::read_to_string(town.config()).unwrap();
    std::fs::write(town.config(), settings.replace("\"0s\"", "\"5 sheep\"")).unwrap();
    running.signal(Signal::HUP);
    manager.until("RELOADING=1", &town);
    let (failed, _) = manager.until("READY=1", &town);
    let status = field(&failed, "STATUS").unwrap();
    assert!(status.starts_with("reload failed: ") && status.contains("publisher.min_interval"), "{failed}");
    assert_eq!(failed.lines().count(), 2, "{failed}");

    stop(running);
    manager.until("STOPPING=1", &town);
    assert!(manager.messages.try_recv().is_err(), "nothing comes after the stop");
}

#[actix_rt::test]
async fn only_a_service_that_works_keeps_the_watchdog_quiet() {
    let mut town = town().await;
    let manager = Manager::of(&mut town, Some(Duration::from_secs(2)));
    let running = town.start(&["run"]);
    manager.until("READY=1", &town);
    let begun = Instant::now();
    manager.until("WATCHDOG=1", &town);
    manager.until("WATCHDOG=1", &town);
    manager.until("WATCHDOG=1", &town);
    assert!(begun.elapsed() >= Duration::from_secs(1), "not three at once");
    town.until_published("es", 1).await;

    // Whoever holds this lock makes the ledger hang.
    let ledger = rusqlite::Connection::open(town.folder.path().join("data/ledger.sqlite")).unwrap();
    ledger.busy_timeout(PATIENCE).unwrap();
    ledger.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (hanging, _) = manager.until("STATUS=not ready: the ledger does not answer", &town);
    assert!(!hanging.contains("WATCHDOG"), "{hanging}");
    let (_, others) = manager.until("STATUS=not ready: the ledger does not answer", &town);
    assert!(!others.concat().contains("WATCHDOG"), "{others:?}");
    ledger.execute_batch("ROLLBACK").unwrap();
    let (well, _) = manager.until("WATCHDOG=1", &town);
    assert_eq!(field(&well, "STATUS"), Some("ready"));
    stop(running);
}

#[actix_rt::test]
async fn a_degraded_service_says_why_and_keeps_the_watchdog_quiet() {
    let mut town = town().await;
    town.environment.push(("GEMINI_API_KEY".into(), "a-key-that-nobody-issued".into()));
    let manager = Manager::of(&mut town, Some(Duration::from_secs(1)));
    let running = town.start(&["run"]);
    let begun = Instant::now();
    loop {
        let (message, _) = manager.until("WATCHDOG=1", &town);
        if field(&message, "STATUS").is_some_and(|status| status.starts_with("degraded: gemini: ")) {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{message}");
    }
    stop(running);
}

#[actix_rt::test]
async fn a_manager_that_cannot_be_reached_is_logged_once_and_costs_nothing() {
    let mut town = town().await;
    town.environment.push(("NOTIFY_SOCKET".into(), "/nowhere/notify".into()));
    town.environment.push(("WATCHDOG_USEC".into(), "30000".into()));
    let running = town.start(&["run"]);
    town.until_published("es", 1).await;
    stop(running);
    assert_eq!(town.log().matches("service manager unreachable").count(), 1, "{}", town.log_tail());
}
