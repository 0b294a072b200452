//! The log stream, one line an event on standard output, where a container's logs are taken from.

use std::io::Write as _;

use env_logger::{Builder, Target, WriteStyle};
use log::{LevelFilter, kv};
use serde_json::Value;

/// Where lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output: the service.
    Stdout,
    /// Standard error: a command whose output is for somebody else.
    Stderr,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people: a sentence, then `key=value`.
    #[default]
    Text,
    /// For machines: a JSON object a line, fields beside `time`, `level`, `module` and `message`.
    Json,
}

/// Sets up logging for the whole process. `level` holds for Mynah's own modules; libraries speak from `warn` on.
/// `RUST_LOG` overrides both.
pub fn init(level: LevelFilter, stream: Stream, format: LogFormat) {
    let mut builder = Builder::new();
    builder
        .filter_level(level.min(LevelFilter::Warn))
        .filter_module("mynah", level)
        .filter_module("mynah_actors", level)
        .filter_module("mynah_sandbox", level)
        .parse_default_env()
        .write_style(WriteStyle::Never)
        .target(match stream {
            Stream::Stdout => Target::Stdout,
            Stream::Stderr => Target::Stderr,
        })
        .format(move |out, record| {
            let time = out.timestamp_millis().to_string();
            match format {
                LogFormat::Text => writeln!(out, "{}", text_line(&time, record)),
                LogFormat::Json => writeln!(out, "{}", json_line(&time, record)),
            }
        });
    // A second call, in a test, leaves the first in force.
    if builder.try_init().is_ok() {
        log_panics();
    }
}

/// Has every panic told in the log stream, with its place, and not beside it.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        log::error!(reason = message, place = place.as_str(), thread = thread.as_str(); "panic");
    }));
}

fn module(record: &log::Record<'_>) -> String {
    record.target().replace("mynah_actors::", "").replace("mynah::", "")
}

fn text_line(time: &str, record: &log::Record<'_>) -> String {
    // Whatever came from outside is data: it may not end the line or move the cursor.
    let message = printable(&record.args().to_string());
    let mut line = format!("{time} {:5} {} {message}", record.level(), module(record));
    for (key, value) in Fields::of(record) {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        // Writing to a string cannot fail.
        let _ = std::fmt::Write::write_fmt(&mut line, format_args!(" {key}={}", quoted(&printable(&value))));
    }
    line
}

fn json_line(time: &str, record: &log::Record<'_>) -> Value {
    let mut line = serde_json::Map::new();
    line.extend(Fields::of(record));
    // After the fields: none of them may pose as one of these.
    for (key, value) in [
        ("time", time.to_owned()),
        ("level", record.level().as_str().to_lowercase()),
        ("module", module(record)),
        ("message", record.args().to_string()),
    ] {
        line.insert(key.into(), value.into());
    }
    line.into()
}

/// The fields of a record, numbers as numbers.
struct Fields(Vec<(String, Value)>);

impl Fields {
    fn of(record: &log::Record<'_>) -> Vec<(String, Value)> {
        let mut fields = Self(Vec::new());
        // Collecting into a vector cannot fail.
        let _ = record.key_values().visit(&mut fields);
        fields.0
    }
}

impl<'kvs> kv::VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: kv::Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        let told = (value.to_u64().map(Value::from))
            .or_else(|| value.to_i64().map(Value::from))
            .or_else(|| value.to_bool().map(Value::from))
            .or_else(|| value.to_f64().map(Value::from))
            .unwrap_or_else(|| value.to_string().into());
        self.0.push((key.to_string(), told));
        Ok(())
    }
}

fn quoted(value: &str) -> String {
    if value.is_empty() || value.contains([' ', '=', '"']) { format!("{value:?}") } else { value.to_owned() }
}

/// A text with nothing in it that a terminal or a log would obey: control characters become `�`, and the characters
/// that turn the direction of writing are left out.
pub fn printable(text: &str) -> String {
    text.chars()
        .filter(|c| !matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'))
        .map(|c| match c {
            '\n' | '\t' => ' ',
            c if c.is_control() => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_either_form_is_one_line_and_holds_its_fields() {
        let fields = [
            ("jobs", kv::Value::from(3_u64)),
            ("reason", kv::Value::from("a b\n\"c\"")),
            ("level", kv::Value::from("x")),
        ];
        let args = format_args!("held\u{1b}[31m\nnow");
        let record = log::Record::builder()
            .target("mynah::router")
            .level(log::Level::Warn)
            .args(args)
            .key_values(&fields)
            .build();
        assert_eq!(
            text_line("T", &record),
            "T WARN  router held�[31m now jobs=3 reason=\"a b \\\"c\\\"\" level=x"
        );
        let json = json_line("T", &record);
        assert_eq!(
            (&json["level"], &json["jobs"], &json["module"]),
            (&"warn".into(), &3.into(), &"router".into())
        );
        assert_eq!(json.to_string().lines().count(), 1);
    }

    #[test]
    fn what_a_terminal_would_obey_is_taken_out() {
        assert_eq!(printable("a\u{1b}[31mred\r\nb\u{202E}c"), "a�[31mred� bc");
    }
}
