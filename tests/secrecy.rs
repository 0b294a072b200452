//! Keys and unpublished posts stay with the operator: an upstream that repeats them cannot get them logged, stored or
//! shown, control characters from an upstream reach no terminal, and no other user of the machine can read the files.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

mod support;

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _, symlink},
        process::CommandExt as _,
    },
    path::Path,
    process::Command,
    thread,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use support::{Output, Town, account, numbered};

/// All keys of the town.
fn secrets() -> Vec<String> {
    let keys = mynah_sandbox::credentials(&account("es"));
    vec![
        keys.consumer_key,
        keys.consumer_secret,
        keys.access_token,
        keys.access_token_secret,
        keys.app_bearer_token,
        keys.gemini_api_key,
    ]
}

/// How a fake X answers: from a call's method and path and its `Authorization` header to a status and a body.
type Answers = fn(&str, &str) -> (u16, String);

/// Starts a fake X on loopback that answers with `answers`, and returns its address.
fn fake_x(answers: Answers) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut request = Vec::new();
                let mut chunk = [0; 4096];
                let head = loop {
                    let read = stream.read(&mut chunk).unwrap_or_default();
                    if read == 0 {
                        return;
                    }
                    request.extend_from_slice(&chunk[..read]);
                    if let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") {
                        break String::from_utf8_lossy(&request[..end]).into_owned();
                    }
                };
                let header = |name: &str| {
                    head.lines().find_map(|line| {
                        line.to_lowercase().starts_with(name).then(|| line[name.len()..].trim().to_owned())
                    })
                };
                // An unread body would reset the connection before the answer is read.
                let length: usize = header("content-length:").map_or(0, |length| length.parse().unwrap());
                let mut left = (head.len() + 4 + length).saturating_sub(request.len());
                while left > 0 {
                    left -= stream.read(&mut chunk).unwrap();
                }
                let call = head.lines().next().unwrap();
                let (status, body) = answers(call, &header("authorization:").unwrap_or_default());
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
            });
        }
    });
    format!("http://{address}")
}

/// Answers the reading calls with a timeline of one post, so that Mynah gets as far as publishing.
fn readable(call: &str) -> Option<(u16, String)> {
    let body = if call.contains("/by/username/") {
        json!({"data": {"id": "42", "username": "town"}})
    } else if call.starts_with("GET /2/users/me") {
        json!({"data": {"id": "43", "username": "town_es"}})
    } else if call.starts_with("GET /2/users/42/tweets") {
        json!({"data": [{"id": "1993000000000000001", "text": "The market opens at nine today", "author_id": "42",
            "created_at": "2026-11-24T09:30:00.000Z", "lang": "en"}], "meta": {"result_count": 1}})
    } else if call.starts_with("GET ") {
        json!({"meta": {"result_count": 0}})
    } else {
        return None;
    };
    Some((200, body.to_string()))
}

async fn town(answers: Answers) -> Town {
    let mut town = Town::new(numbered(1), &["es"], "gemini").await;
    town.settings = vec![format!("x.base_url={}", fake_x(answers))];
    town
}

fn percent(text: &str) -> String {
    text.bytes().flat_map(|byte| ['%', hex(byte >> 4), hex(byte & 15)]).collect()
}

fn hex(digit: u8) -> char {
    char::from_digit(digit.into(), 16).unwrap()
}

/// The contents of the data folder.
fn stored(folder: &Path) -> String {
    let files = fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    files.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
}

/// Everything that the commands print, plus the contents of the data folder.
fn shown(town: &Town, commands: &[&[&str]]) -> String {
    let mut shown = String::new();
    for args in commands {
        let output = Output::from(town.command(args).output().unwrap());
        shown.extend([output.out, output.err]);
    }
    shown + &stored(&town.folder.path().join("data"))
}

const COMMANDS: &[&[&str]] = &[
    &["once"],
    &["jobs", "--state", "held,failed,ready,unknown,skipped"],
    &["jobs", "--json"],
    &["check"],
    &["preview", "1993000000000000001"],
];

#[actix_rt::test]
async fn no_key_that_x_repeats_is_logged_stored_or_shown() {
    let echoes: [(&str, Answers); 7] = [
        ("a refused key", |_, sent| {
            (401, json!({"title": "Unauthorized", "detail": format!("got {sent}")}).to_string())
        }),
        ("a refused post", |call, sent| {
            readable(call).unwrap_or_else(|| (403, json!({"detail": format!("got {sent}")}).to_string()))
        }),
        ("errors in a 200", |call, sent| {
            let field = if call.contains("by/username") { "detail" } else { "message" };
            (200, json!({"errors": [{field: format!("got {sent}")}]}).to_string())
        }),
        ("text that is no JSON", |call, sent| {
            readable(call).unwrap_or_else(|| (502, format!("<pre>{sent}</pre>")))
        }),
        ("a 200 that is no JSON", |call, sent| {
            readable(call).unwrap_or_else(|| (200, format!("{{\"data\": \"{sent}\"")))
        }),
        ("a value of another type", |call, sent| {
            let body = json!({"data": {"id": [sent]}, "errors": [{"message": sent}]});
            readable(call).unwrap_or_else(|| (200, body.to_string()))
        }),
        ("base64 and percent-encoding", |call, sent| {
            let detail = format!("{} {}", STANDARD.encode(sent), percent(sent));
            readable(call).unwrap_or_else(|| (400, json!({"detail": detail}).to_string()))
        }),
    ];
    for (what, answers) in echoes {
        let town = town(answers).await;
        let shown = shown(&town, COMMANDS);
        assert!(shown.contains("[redacted]"), "{what}: {shown}");
        for secret in secrets() {
            let encoded = STANDARD.encode(&secret);
            let percent = percent(&secret);
            for form in [secret.as_str(), &encoded[..encoded.len() - 4], percent.as_str()] {
                assert!(!shown.contains(form), "{what}: {form} in {shown}");
            }
        }
        assert!(!shown.contains("oauth_signature=\\\"") || !shown.contains("%3D\\\""), "{what}: {shown}");
    }
}

#[actix_rt::test]
async fn one_answer_cannot_fill_the_log_or_the_ledger() {
    let floods: [Answers; 5] = [
        |_, _| (401, json!({"detail": "x".repeat(3_900_000)}).to_string()),
        |call, _| {
            readable(call).unwrap_or_else(|| (403, json!({"detail": "é".repeat(1_900_000)}).to_string()))
        },
        |_, _| {
            (200, json!({"errors": [{"detail": "x".repeat(3_900_000), "title": "y".repeat(10)}]}).to_string())
        },
        |call, _| {
            readable(call)
                .unwrap_or_else(|| (200, json!({"data": {"id": {"x": "y".repeat(3_900_000)}}}).to_string()))
        },
        |call, _| readable(call).unwrap_or_else(|| (200, json!({"data": "z".repeat(3_900_000)}).to_string())),
    ];
    for (number, answers) in floods.into_iter().enumerate() {
        let town = town(answers).await;
        for args in COMMANDS {
            let output = Output::from(town.command(args).output().unwrap());
            for line in output.out.lines().chain(output.err.lines()) {
                assert!(line.len() < 5000, "{number} {args:?}: {} bytes: {line:.300}", line.len());
            }
        }
        let size = fs::metadata(town.folder.path().join("data/ledger.sqlite")).unwrap().len();
        assert!(size < 500_000, "{number}: {size}");
    }
}

#[actix_rt::test]
async fn no_control_character_from_x_reaches_a_terminal() {
    const CONTROLS: &str =
        "\u{1b}[2J \u{9b}31m \u{85} \u{7f} \u{202e}a\u{2066}b\u{200f}c\u{61c}d\u{2028}e\u{2029}f\u{8}";
    let answers: [Answers; 3] = [
        |_, _| (401, json!({"detail": format!("no {CONTROLS}")}).to_string()),
        |call, _| {
            readable(call).unwrap_or_else(|| (403, json!({"detail": format!("no {CONTROLS}")}).to_string()))
        },
        |call, _| {
            let problem = json!({"errors": [{"detail": format!("suspended {CONTROLS}")}]});
            let user = json!({"data": {"id": "44", "username": format!("else {CONTROLS}")}});
            let answer = if call.contains("/by/username/") { problem } else { user };
            (200, answer.to_string())
        },
    ];
    for answers in answers {
        let town = town(answers).await;
        for args in COMMANDS {
            let output = Output::from(town.command(args).output().unwrap());
            let reached: Vec<char> = format!("{}{}", output.out, output.err)
                .chars()
                .filter(|c| *c != '\n' && (c.is_control() || CONTROLS.contains(*c) && !c.is_ascii()))
                .collect();
            assert!(reached.is_empty(), "{reached:?} {args:?}: {}\n{}", output.out, output.err);
        }
    }
}

#[actix_rt::test]
async fn json_and_tables_show_a_post_without_control_characters() {
    let text = "Open \u{9b}2J at\u{2028}nine \u{202e}and\u{61c} ten\u{200e} \u{1b}[31m";
    let town = Town::new([text], &["es"], "gemini").await;
    town.once();
    let mut previewed = town.command(&["preview", "--json"]);
    previewed.stdin(std::process::Stdio::piped());
    let mut child = previewed.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let previewed = Output::from(child.wait_with_output().unwrap()).out;
    let by_state = ["--state", "published,held,failed"];
    let jobs =
        Output::from(town.command(&["jobs", by_state[0], by_state[1], "--json"]).output().unwrap()).out;
    let table = Output::from(town.command(&["jobs", by_state[0], by_state[1]]).output().unwrap()).out;
    assert!(previewed.contains("Open") && jobs.contains("Open") && table.contains("Open"), "{table}");
    for shown in [&previewed, &jobs, &table] {
        assert!(!shown.contains(|c: char| c != '\n' && c.is_control()), "{shown:?}");
        assert!(!shown.contains(['\u{2028}', '\u{202e}', '\u{61c}', '\u{200e}']), "{shown:?}");
    }
    let previewed: serde_json::Value = serde_json::from_str(&previewed).unwrap();
    assert_eq!(previewed["source"]["text"], text, "the value is the same");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Runs a command with umask 000, so that its own file modes decide.
fn without_umask(command: &Command) -> Command {
    let mut open = Command::new("sh");
    open.args(["-c", "umask 000; exec \"$0\" \"$@\""]).arg(command.get_program()).args(command.get_args());
    open.env_clear();
    open.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    open.current_dir(command.get_current_dir().unwrap());
    open
}

#[track_caller]
fn assert_private(data: &Path) {
    assert_eq!(mode(data), 0o700);
    let files: Vec<_> = fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.iter().any(|file| file.ends_with("cache.jsonl")) && files.len() >= 3, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[actix_rt::test]
async fn the_data_folder_is_private_whatever_the_umask() {
    let town = Town::new(numbered(2), &["es"], "gemini").await;
    Output::from(without_umask(&town.command(&["once"])).output().unwrap()).assert_success();
    assert_private(&town.folder.path().join("data"));
}

#[actix_rt::test]
async fn a_running_service_creates_only_private_files() {
    let town = Town::new(numbered(2), &["es"], "gemini").await;
    let mut command = without_umask(&town.command(&["run", "--set", "stats.interval=1s"]));
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    let data = town.folder.path().join("data");
    for file in [
        "ledger.sqlite",
        "ledger.sqlite-wal",
        "ledger.sqlite-shm",
        "ledger.lock",
        "admin",
        "metrics.jsonl",
        "pulse",
    ] {
        support::until(file, || data.join(file).exists()).await;
        assert_eq!(mode(&data.join(file)), 0o600, "{file}");
    }
    assert_eq!(mode(&data), 0o700);
    support::signal(child.id(), support::Signal::TERM);
    child.wait().unwrap();
    assert_private(&data);
}

#[actix_rt::test]
async fn an_open_data_folder_is_made_private() {
    let town = Town::new(numbered(2), &["es"], "gemini").await;
    let data = town.folder.path().join("data");
    town.once().assert_success();
    for file in fs::read_dir(&data).unwrap() {
        set_mode(&file.unwrap().path(), 0o644);
    }
    set_mode(&data, 0o755);
    let checked = Output::from(town.command(&["check"]).output().unwrap());
    checked.assert_success();
    assert!(
        checked.out.contains("it was open to other users (mode 0755); Mynah changed it to 0700"),
        "{}",
        checked.out
    );
    assert_private(&data);
    let checked = Output::from(town.command(&["check"]).output().unwrap());
    assert!(!checked.out.contains("warn"), "{}", checked.out);
}

#[actix_rt::test]
async fn a_data_folder_behind_a_symlink_is_made_private() {
    let town = Town::new(numbered(2), &["es"], "gemini").await;
    let volume = town.folder.path().join("volume");
    fs::create_dir(&volume).unwrap();
    set_mode(&volume, 0o777);
    symlink(&volume, town.folder.path().join("data")).unwrap();
    town.once().assert_success();
    assert_private(&volume);
}

#[actix_rt::test]
async fn a_data_folder_of_another_user_works_with_a_warning() {
    if !rustix::process::geteuid().is_root() {
        return; // Only root can act as another user.
    }
    let town = Town::new(numbered(2), &["es"], "gemini").await;
    let data = town.folder.path().join("data");
    set_mode(town.folder.path(), 0o755);
    set_mode(&town.config(), 0o644);
    fs::create_dir(&data).unwrap();
    set_mode(&data, 0o777);
    let nobody = |args: &[&str]| Output::from(town.command(args).uid(65534).gid(65534).output().unwrap());
    let output = nobody(&["once"]);
    output.assert_success();
    assert!(output.err.contains("file accessible to other users"), "{}", output.err);
    assert_eq!(town.publications("es").len(), 2);
    assert_eq!((mode(&data), mode(&data.join("ledger.sqlite"))), (0o777, 0o600));
    let checked = nobody(&["check"]);
    checked.assert_success();
    assert!(
        checked.out.contains("it belongs to user 0") && checked.out.contains("chmod 700"),
        "{}",
        checked.out
    );
}

#[actix_rt::test]
async fn check_warns_about_secrets_that_other_users_can_read() {
    let town = Town::new(numbered(1), &["es"], "gemini").await;
    let folder = town.folder.path();
    let (env_file, key_file) = (folder.join("secrets.env"), folder.join("gemini-key"));
    fs::write(&env_file, "UNUSED=1\n").unwrap();
    fs::write(&key_file, mynah_sandbox::credentials("town_es").gemini_api_key).unwrap();
    let env_file_option = env_file.display().to_string();
    for (of_env, of_key, warned) in [
        (0o640, 0o600, &["secrets.env"][..]),
        (0o604, 0o600, &["secrets.env"]),
        (0o600, 0o644, &["gemini-key"]),
        (0o400, 0o440, &["gemini-key"]),
        (0o666, 0o777, &["secrets.env", "gemini-key"]),
        (0o600, 0o400, &[]),
    ] {
        set_mode(&env_file, of_env);
        set_mode(&key_file, of_key);
        let mut command = town.command(&["check", "--env-file", &env_file_option]);
        command.env_remove("GEMINI_API_KEY").env("GEMINI_API_KEY_FILE", &key_file);
        let checked = Output::from(command.output().unwrap());
        checked.assert_success();
        let warnings: Vec<&str> = checked.out.lines().filter(|line| line.starts_with("warn ")).collect();
        assert_eq!(warnings.len(), warned.len(), "{}", checked.out);
        for (warning, name) in warnings.iter().zip(warned) {
            assert!(warning.contains(name) && warning.contains("chmod"), "{warning}");
        }
    }
}
