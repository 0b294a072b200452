//! The log: one line per event on standard output, where containers take their logs from.

use std::{
    fmt::Write as _,
    io::{IsTerminal as _, Write as _},
    sync::{Mutex, PoisonError},
};

use env_logger::{Builder, Target, WriteStyle};
use jiff::Timestamp;
use log::LevelFilter;
use serde_json::Value;

pub use super::outside::printable;
use super::{
    digest::StatsDigest,
    events::{Event, Events},
    outside,
};

/// Where log lines go.
#[derive(Debug)]
pub enum Stream {
    /// Standard output: the service.
    Stdout,
    /// Standard error, for commands that print their result to standard output.
    Stderr,
    /// A file.
    File(std::fs::File),
}

impl Stream {
    fn is_terminal(&self) -> bool {
        match self {
            Self::Stdout => std::io::stdout().is_terminal(),
            Self::Stderr => std::io::stderr().is_terminal(),
            Self::File(file) => file.is_terminal(),
        }
    }
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people: the event's name, then `key=value`. On a terminal, the measurements are short.
    #[default]
    Text,
    /// For machines: one JSON object per line, with the fields beside `time`, `level`, `module` and `message`.
    Json,
}

/// The level of one of Mynah's modules, such as `router`, and of its submodules; overrides the general level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleLevel {
    /// One of [`MODULES`].
    pub module: &'static str,
    /// The lowest level to log.
    pub level: LevelFilter,
}

/// The modules whose level can be set.
pub const MODULES: [&str; 15] = [
    "alerts",
    "app",
    "cache",
    "engines",
    "glossary",
    "http",
    "ledger",
    "networks",
    "pauses",
    "poller",
    "publisher",
    "router",
    "stats",
    "supervision",
    "translator",
];

/// Former names of modules, which old settings may use.
const FORMER_MODULES: [(&str, &str); 2] = [("destinations", "networks"), ("x", "networks")];

/// Finds a module by its name or a former one.
pub fn module_named(name: &str) -> Option<&'static str> {
    let name = FORMER_MODULES.into_iter().find(|(former, _)| *former == name).map_or(name, |(_, now)| now);
    MODULES.into_iter().find(|known| *known == name)
}

/// Sets up logging for the whole process. `level` applies to Mynah's own modules, except those in `modules`; libraries
/// log warnings and errors. `RUST_LOG` overrides all of it.
pub fn init(level: LevelFilter, modules: &[ModuleLevel], stream: Stream, format: LogFormat) {
    let mut builder = Builder::new();
    builder
        .filter_level(level.min(LevelFilter::Warn))
        .filter_module("mynah", level)
        .filter_module("mynah_actors", level)
        .filter_module("mynah_sandbox", level)
        // It logs an error for every request that cannot be parsed; the admin port counts those connections itself.
        .filter_module("actix_http::h1", LevelFilter::Off);
    for ModuleLevel { module, level } in modules {
        for part in ["mynah", "mynah_actors"] {
            builder.filter_module(&format!("{part}::{module}"), *level);
        }
    }
    let digest = (format == LogFormat::Text && stream.is_terminal()).then(Mutex::<StatsDigest>::default);
    builder
        .parse_default_env()
        .write_style(WriteStyle::Never)
        .target(match stream {
            Stream::Stdout => Target::Stdout,
            Stream::Stderr => Target::Stderr,
            Stream::File(file) => Target::Pipe(Box::new(file)),
        })
        .format(move |out, record| {
            let event = Event::of(record, format!("{:.3}", Timestamp::now()));
            let event = Events::global().add(event);
            match format {
                LogFormat::Text => {
                    let short = digest.as_ref().filter(|_| event.is_stats()).map(|digest| {
                        let mut digest = digest.lock().unwrap_or_else(PoisonError::into_inner);
                        digest.shorten((*event).clone())
                    });
                    writeln!(out, "{}", text_line(short.as_ref().unwrap_or(&event)))
                }
                LogFormat::Json => writeln!(out, "{}", outside::json(&json_line(&event))),
            }
        });
    // In tests, a second call fails and changes nothing.
    if builder.try_init().is_ok() {
        log_panics();
    }
}

/// Sets up logging for a command with its own output: only errors.
pub fn init_for_command() {
    init(LevelFilter::Error, &[], Stream::Stderr, LogFormat::default());
}

/// Writes panics to the log, with their location, instead of standard error.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        log::error!(reason = message, location = place.as_str(), thread = thread.as_str(); "thread panicked");
    }));
}

/// The line for people.
pub fn text_line(event: &Event) -> String {
    // Most lines fit.
    let mut line = String::with_capacity(256);
    line.push_str(&event.time);
    // Writing to a string cannot fail.
    let _ = write!(line, " {:5} ", event.level);
    // Text from outside must not end the line or move the cursor.
    line.push_str(&printable(&event.module));
    line.push(' ');
    line.push_str(&printable(&event.name));
    for (key, value) in &event.fields {
        line.push(' ');
        line.push_str(&printable(key));
        line.push('=');
        match value.as_str() {
            Some(text) => push_quoted(&mut line, &printable(text)),
            // A number.
            None => drop(write!(line, "{value}")),
        }
    }
    line
}

/// The line for machines.
pub fn json_line(event: &Event) -> Value {
    let mut line = serde_json::Map::new();
    line.extend(event.fields.iter().cloned());
    // After the fields, so that no field can replace one of these.
    for (key, value) in [
        ("time", event.time.clone()),
        ("level", event.level.as_str().to_lowercase()),
        ("module", event.module.clone()),
        ("message", event.name.clone()),
    ] {
        line.insert(key.into(), value.into());
    }
    line.into()
}

/// Reads a line that [`json_line`] wrote.
pub fn event_of(line: &str) -> Option<Event> {
    let Ok(Value::Object(mut line)) = serde_json::from_str(line) else { return None };
    let mut take = |key: &str| line.remove(key).and_then(|value| value.as_str().map(str::to_owned));
    let (time, level) = (take("time")?, take("level")?.parse().ok()?);
    let (module, name) = (take("module")?, take("message")?);
    Some(Event { number: 0, time, level, module, name, fields: line.into_iter().collect() })
}

/// Adds a text, in quotation marks if its end would be in doubt otherwise.
fn push_quoted(line: &mut String, text: &str) {
    if text.is_empty() || text.bytes().any(|byte| matches!(byte, b' ' | b'=' | b'"')) {
        // Writing to a string cannot fail.
        let _ = write!(line, "{text:?}");
    } else {
        line.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_write_one_line_with_all_fields() {
        let fields = [
            ("jobs", log::kv::Value::from(3_u64)),
            ("reason", log::kv::Value::from("a b\n\"c\"")),
            ("level", log::kv::Value::from("x")),
        ];
        let args = format_args!("held\u{1b}[31m\nnow");
        let record = log::Record::builder()
            .target("mynah::router")
            .level(log::Level::Warn)
            .args(args)
            .key_values(&fields)
            .build();
        let event = Event::of(&record, "T".into());
        assert_eq!(text_line(&event), "T WARN  router held�[31m now jobs=3 reason=\"a b \\\"c\\\"\" level=x");
        let json = json_line(&event);
        assert_eq!(
            (&json["level"], &json["jobs"], &json["module"]),
            (&"warn".into(), &3.into(), &"router".into())
        );
        let line = json.to_string();
        assert_eq!(line.lines().count(), 1);
        let read = event_of(&line).unwrap();
        assert_eq!((read.name, read.level), (event.name, log::Level::Warn));
        assert_eq!(read.fields.len(), 2, "a field cannot replace the level");
        assert_eq!(event_of("{}"), None);
    }
}
