//! The command line as people and scripts use it: the same options everywhere, the same answers with and without a
//! service, and output that may be piped anywhere.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

mod support;

use std::{
    collections::BTreeSet,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use support::{Output, Running, Town, message, numbered, run, run_json, run_with_input, until};

/// Starts the service and waits until its admin API listens.
async fn service(town: &Town, data: &str) -> Running {
    let running = town.start(&["run", "--set", &set_data(town, data)]);
    let address = town.folder.path().join(data).join("admin");
    until("the admin API listens", || address.exists()).await;
    running
}

fn set_data(town: &Town, data: &str) -> String {
    format!("data_dir={}", town.folder.path().join(data).display())
}

/// The same jobs in two folders: one for a service, and one for the ledger alone. Six jobs for `es` are held, and six
/// for `fr` are published.
async fn two_ledgers() -> Town {
    let town = Town::new(numbered(6), &["es", "fr"], "gemini").await;
    town.order_faults(r#"{"rules": [{"endpoint": "x.post", "fault": {"x": "not_permitted"}, "count": 12}]}"#);
    town.once().assert_success();
    run(&town, &["jobs", "retry", "--target", "town_fr", "--state", "held"]).assert_success();
    town.once().assert_success();
    assert_eq!((town.publications("es").len(), town.publications("fr").len()), (0, 6));
    // Nothing must change while the service is compared with the ledger.
    run(&town, &["pause", "all"]).assert_success();
    let (from, to) = (town.folder.path().join("data"), town.folder.path().join("served"));
    std::fs::create_dir(&to).unwrap();
    for file in std::fs::read_dir(&from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
    town
}

/// The options of a command that are not common to all, as its help lists them.
fn options_of(town: &Town, command: &[&str]) -> BTreeSet<String> {
    const COMMON: [&str; 7] =
        ["--config", "--set", "--env-file", "--json", "--no-color", "--help", "--version"];
    let help = run(town, &[command, &["--help"]].concat());
    help.assert_success();
    let lines = help.out.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let options = lines.filter_map(|line| line.split([' ', ',']).find(|word| word.starts_with("--")));
    options.filter(|option| !COMMON.contains(option)).map(str::to_owned).collect()
}

fn without_times(mut jobs: Value) -> Value {
    for job in jobs["jobs"].as_array_mut().unwrap() {
        job.as_object_mut().unwrap().remove("updated_at");
    }
    jobs
}

/// An answer about users or decisions, without times and tokens.
fn without_chance(answer: &str) -> Value {
    let mut answer: Value = serde_json::from_str(answer).unwrap_or_default();
    for list in ["users", "decisions"] {
        for one in answer[list].as_array_mut().into_iter().flatten() {
            one.as_object_mut().unwrap().retain(|key, _| key != "since" && key != "at");
        }
    }
    if let Some(answer) = answer.as_object_mut() {
        answer.remove("token");
    }
    answer
}

/// The answer to a pause or a resume. Only a service tries credentials.
fn without_tries(answer: &str) -> Value {
    let mut answer: Value = serde_json::from_str(answer).unwrap_or_default();
    if let Some(answer) = answer.as_object_mut() {
        answer.remove("tried");
    }
    answer
}

/// Every option of every command that works with a service and on the ledger alone is in one of these tables: an option
/// that is in none fails the test, and so does one that has no effect.
#[actix_rt::test]
async fn every_option_means_the_same_with_a_service_and_on_the_ledger_alone() {
    let town = two_ledgers().await;
    let running = service(&town, "served").await;
    let (alone, served) = (set_data(&town, "data"), set_data(&town, "served"));
    let both =
        |args: &[&str]| [&alone, &served].map(|data| run(&town, &[args, &["--set", data.as_str()]].concat()));
    let all = run_json(&town, &["jobs", "--state", "held,published", "--set", &alone]);
    let ids: Vec<String> = all["jobs"].as_array().unwrap().iter().map(|job| job["id"].to_string()).collect();
    let post = all["jobs"][0]["post"].as_str().unwrap();
    let held = run_json(&town, &["jobs", "--set", &alone])["jobs"].as_array().unwrap().clone();
    let held: Vec<String> = held.iter().map(|job| job["id"].to_string()).collect();
    assert_eq!((ids.len(), held.len()), (12, 6));

    let mut tested: Vec<(&[&str], BTreeSet<String>)> = Vec::new();
    let mut test = |command: &'static [&'static str], args: &[&str]| {
        let options = args.iter().filter(|arg| arg.starts_with("--")).map(|arg| (*arg).to_owned());
        match tested.iter_mut().find(|(known, _)| *known == command) {
            Some((_, known)) => known.extend(options),
            None => tested.push((command, options.collect())),
        }
    };

    let words = message(3);
    let plain = both(&["jobs", "--json"])[0].out.clone();
    for args in [
        &["--state", "published"] as &[&str],
        &["--target", "town_fr", "--state", "published"],
        &["--target", "town_fr"],
        &["--source", "town", "--state", "published"],
        &["--post", post],
        &["--words", &words],
        &["--newest"],
        &["--newest", "--limit", "2"],
        &["--limit", "2"],
        &["--after", &held[2]],
        &["--newest", "--after", &held[2]],
        &["--newest", "--words", "Message", "--limit", "3", "--state", "held,published"],
    ] {
        test(&["jobs"], args);
        for form in [&["--json"] as &[&str], &[]] {
            let [alone, served] = both(&[&["jobs"], args, form].concat());
            alone.assert_success();
            assert_eq!((alone.out.as_str(), alone.code), (served.out.as_str(), served.code), "{args:?}");
            assert_ne!(alone.out, plain, "{args:?} has no effect");
        }
    }

    for (command, args) in [
        (&["jobs", "skip"] as &[&str], &[held[0].as_str()] as &[&str]),
        (&["jobs", "skip"], &["--yes", &held[0], &held[1]]),
        (&["jobs", "unskip"], &[&held[0]]),
        (&["jobs", "unskip"], &["--target", "town_fr"]),
        (&["jobs", "unskip"], &["--target", "town_es"]),
        (&["jobs", "skip"], &["--yes", "--kind", "refused"]),
        (&["jobs", "retry"], &["--state", "skipped"]),
        (&["jobs", "unskip"], &["--kind", "by_hand"]),
        (&["jobs", "retry"], &["--kind", "gate"]),
        (&["jobs", "retry"], &["--target", "town_es", "--kind", "refused"]),
        (&["jobs", "skip"], &["--yes", "--state", "ready", "--target", "town_es"]),
        (&["jobs", "unskip"], &["--state", "skipped"]),
        (&["jobs", "skip"], &["--yes", "--state", "ready", "--source", "x:town"]),
        (&["jobs", "unskip"], &["--source", "@town"]),
        (&["jobs", "retry"], &["--source", "town", "--target", "town_es"]),
        (&["jobs", "retry"], &[&held[0], "9999"]),
    ] {
        test(command, args);
        let [on_ledger, on_service] = both(&[command, args, &["--json"]].concat());
        let outcomes = [&on_ledger, &on_service].map(|output| (output.code, output.out.as_str()));
        assert_eq!(outcomes[0], outcomes[1], "{command:?} {args:?}: {}", on_service.err);
        let every = &["jobs", "--state", "held,published,ready,skipped,queued", "--json"];
        let [alone, served] = both(every).map(|output| serde_json::from_str::<Value>(&output.out).unwrap());
        assert_eq!(without_times(alone), without_times(served), "{command:?} {args:?}");
    }

    let published = run_json(&town, &["jobs", "--state", "published", "--set", &alone]);
    let done = published["jobs"].as_array().unwrap().iter().map(|job| job["post"].as_str().unwrap());
    let done: Vec<&str> = done.collect();
    run(&town, &["jobs", "skip", "--yes", "--target", "town_es", "--set", &alone]);
    run(&town, &["jobs", "skip", "--yes", "--target", "town_es", "--set", &served]);
    for args in [&["nobodys", "--yes"] as &[&str], &[done[0]], &[done[0], done[1], "nobodys", "--yes"]] {
        test(&["forget"], args);
        for form in [&["--json"] as &[&str], &[]] {
            let [alone, served] = both(&[&["forget"], args, form].concat());
            assert_eq!((alone.out, alone.code), (served.out, served.code), "{args:?}: {}", served.err);
        }
        let every = &["jobs", "--state", "held,published,ready,skipped,queued", "--json"];
        let [alone, served] = both(every).map(|output| serde_json::from_str::<Value>(&output.out).unwrap());
        assert_eq!(without_times(alone), without_times(served), "{args:?}");
    }

    test(&["backup"], &[]);
    let copies =
        ["one.sqlite", "other.sqlite"].map(|name| town.folder.path().join(name).display().to_string());
    let [one, other] = [(&copies[0], &alone), (&copies[1], &served)].map(|(copy, data)| {
        let mut made = run_json(&town, &["backup", copy, "--set", data]);
        made.as_object_mut().unwrap().retain(|key, _| key == "jobs");
        made
    });
    assert_eq!(one, other);

    for args in [&["--by", "day"] as &[&str], &["--since", "2020-01-01"], &["--csv"]] {
        test(&["costs"], args);
        let [alone, served] = both(&[&["costs"], args].concat());
        alone.assert_success();
        // The forecast depends on the time.
        let [alone, served] = [alone, served].map(|output| {
            let lines = output.out.lines().filter(|line| !line.starts_with("today "));
            lines.map(str::to_owned).collect::<Vec<_>>()
        });
        assert_eq!(alone, served, "{args:?}");
        assert!(alone.len() > 4, "{alone:?}");
    }

    test(&["status"], &[]);
    let [alone, served] = both(&["status", "--json"]);
    alone.assert_success();
    served.assert_success();
    let [alone, served] = [alone, served].map(|output| serde_json::from_str::<Value>(&output.out).unwrap());
    assert_eq!((&alone["accounts"], &alone["poller"]), (&served["accounts"], &served["poller"]));
    assert_eq!((&alone["state"], &served["state"]), (&json!("stopped"), &json!("ready")));

    for (command, args) in [
        (&["pause"] as &[&str], &[] as &[&str]),
        (&["pause"], &["poller"]),
        (&["resume"], &["x:town_fr"]),
        (&["pause"], &["town_fr"]),
        (&["resume"], &["nobody"]),
    ] {
        test(command, args);
        let [alone, served] = both(&[command, args, &["--json"]].concat());
        let outcomes = [alone, served].map(|output| (output.code, without_tries(&output.out)));
        assert_eq!(outcomes[0], outcomes[1], "{command:?} {args:?}");
    }

    for (command, args) in [
        (&["users", "add"] as &[&str], &["Ana", "--role", "look"] as &[&str]),
        (&["users", "add"], &["ANA", "--role", "steer"]),
        (&["users", "renew"], &["ana"]),
        (&["users", "renew"], &["nobody"]),
        (&["users", "list"], &[]),
        (&["users", "remove"], &["ana", "--yes"]),
        (&["users", "remove"], &["ana", "--yes"]),
        (&["users", "list"], &[]),
        (&["decisions"], &["--limit", "2"]),
        (&["decisions"], &["--before", "3"]),
    ] {
        test(command, args);
        let [alone, served] = both(&[command, args, &["--json"]].concat());
        let outcomes = [alone, served].map(|output| (output.code, without_chance(&output.out)));
        assert_eq!(outcomes[0], outcomes[1], "{command:?} {args:?}");
    }

    for (command, options) in tested {
        assert_eq!(options_of(&town, command), options, "every option of {command:?} is tested");
    }
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn common_options_work_before_and_after_the_command() {
    let town = Town::new(numbered(1), &["es"], "gemini").await;
    let env_file = town.folder.path().join("secrets.env");
    std::fs::write(&env_file, "MYNAH__SOURCE__PAGE_SIZE=7\n").unwrap();
    let (config, env_file) = (town.config().display().to_string(), env_file.display().to_string());
    let common = ["--config", &config, "--env-file", &env_file, "--json", "--no-color"];
    let set = ["--set", "publisher.burst=3"];
    let other = ["--set", "stats.interval=7s"];
    let command = ["check", "--offline", "--all"];
    for args in [
        [&common[..], &set, &other, &command].concat(),
        [&command[..], &common, &set, &other].concat(),
        [&set[..], &command, &common, &other].concat(),
        [&common[..], &command, &set, &other].concat(),
    ] {
        let mut mynah = Command::new(env!("CARGO_BIN_EXE_mynah"));
        let output = Output::from(mynah.env_clear().args(&args).output().unwrap());
        output.assert_success();
        let settings: Value = serde_json::from_str(&output.out).unwrap();
        let value = |key: &str| {
            let all = settings["settings"].as_array().unwrap().iter();
            all.clone().find(|one| one["key"] == key).unwrap()["value"].clone()
        };
        let values = ["source.page_size", "publisher.burst", "stats.interval"].map(value);
        assert_eq!(values, ["7", "3", "7s"].map(Value::from), "{args:?}");
    }
    for args in [&["demo", "--json"] as &[&str], &["--config", "a", "sandbox"], &["benchmark", "-c", "a"]] {
        let mut mynah = Command::new(env!("CARGO_BIN_EXE_mynah"));
        let useless = Output::from(mynah.args(args).output().unwrap());
        assert_eq!(useless.code, Some(2), "{args:?}");
        assert!(useless.err.contains("has no effect on this command"), "{}", useless.err);
    }
}

#[actix_rt::test]
async fn every_command_can_print_json() {
    let town = Town::new(numbered(2), &["es"], "gemini").await;
    let once = run_json(&town, &["once"]);
    assert_eq!((&once["posts"], &once["published"]), (&json!(2), &json!(2)));
    assert_eq!(once["targets"]["x:town_es"]["published"], json!(2));
    assert_eq!(run_json(&town, &["check"])["ok"], json!(true));
    assert_eq!(run_json(&town, &["jobs", "unskip", "--state", "skipped"])["changed"], json!(0));
    let unhealthy = run(&town, &["health", "--json"]);
    assert_eq!(unhealthy.code, Some(1));
    let unhealthy: Value = serde_json::from_str(&unhealthy.out).unwrap();
    assert_eq!((&unhealthy["healthy"], &unhealthy["degraded"]), (&json!(false), &json!([])));
    assert!(unhealthy["trouble"].as_str().unwrap().contains("no service is running"), "{unhealthy}");
    assert_eq!(run_json(&town, &["status"])["state"], json!("stopped"));
    let running = town.start(&["run", "--json"]);
    until("the admin API listens", || town.folder.path().join("data/admin").exists()).await;
    assert_eq!(run_json(&town, &["actors", "restart", "cache"])["restarting"], json!("cache"));
    assert_eq!(run_json(&town, &["actors", "resize", "translator", "3"])["size"], json!(3));
    assert_eq!(running.terminate(), Some(0));
    assert!(town.log().lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{}", town.log());
}

#[test]
fn without_a_command_the_help_has_three_examples() {
    let mut mynah = Command::new(env!("CARGO_BIN_EXE_mynah"));
    // Containers set it, and it is no command either.
    let output = Output::from(mynah.env("MYNAH_CONFIG", "config.toml").output().unwrap());
    assert_eq!(output.code, Some(2));
    let (_, examples) = output.err.split_once("Examples:").unwrap();
    assert_eq!(examples.lines().filter(|line| line.contains("mynah ")).count(), 3 + 1, "{examples}");
}

/// Runs a command whose output nobody reads. Returns its exit code.
async fn unread(mut command: Command, input: &str) -> Option<i32> {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.stdin(Stdio::piped()).stdout(writer.try_clone().unwrap()).stderr(writer);
    let mut child = command.spawn().unwrap();
    // The command may have ended.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    until(&format!("{:?} ends", command.get_args()), || child.try_wait().unwrap().is_some()).await;
    child.wait().unwrap().code()
}

#[actix_rt::test]
async fn a_closed_pipe_is_no_crash_and_ends_a_command_without_an_end() {
    let town = Town::new(numbered(2), &["es"], "gemini").await;
    assert_eq!(unread(town.command(&["once"]), "").await, Some(0));
    assert_eq!(town.publications("es").len(), 2, "the work is done, whoever reads");
    let running = service(&town, "data").await;
    for (args, code) in [
        (&["--help"] as &[&str], 0),
        (&["jobs", "--state", "published"], 0),
        (&["jobs", "--state", "published", "--json"], 0),
        (&["check"], 0),
        (&["check", "--all", "--set", "source.acount=x"], 2),
        (&["check", "--set", "x.base_url=http://127.0.0.1:1"], 1),
        (&["preview"], 0),
        (&["preview", "--lines"], 0),
        (&["performance"], 0),
        (&["performance", "--watch", "--json"], 0),
        (&["logs"], 0),
        (&["logs", "--follow"], 0),
        (&["actors"], 0),
        (&["pause"], 0),
        (&["reload"], 0),
        (&["health"], 0),
        (&["status"], 0),
        (&["costs"], 0),
        (&["decisions"], 0),
        (&["users", "list"], 0),
        (&["costs", "--csv"], 0),
        (&["jobs", "retry", "9999"], 1),
        (&["nonsense"], 2),
    ] {
        assert_eq!(unread(town.command(args), "Good morning\n").await, Some(code), "{args:?}");
    }
    assert_eq!(running.terminate(), Some(0));
    for args in [&["completions", "bash"] as &[&str], &["man"]] {
        let mut mynah = Command::new(env!("CARGO_BIN_EXE_mynah"));
        mynah.args(args);
        assert_eq!(unread(mynah, "").await, Some(0), "{args:?}");
    }
}

#[actix_rt::test]
async fn output_that_cannot_be_written_is_an_error() {
    let town = Town::new(numbered(1), &["es"], "gemini").await;
    town.once().assert_success();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = town.command(&["jobs", "--state", "published"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("cannot write the output: No space left on device"), "{error}");
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    let mynah = |args: &[&str]| {
        let output = Output::from(Command::new(env!("CARGO_BIN_EXE_mynah")).args(args).output().unwrap());
        output.assert_success();
        output.out
    };
    for shell in ["bash", "zsh", "fish"] {
        let script = mynah(&["completions", shell]);
        assert!(script.contains("unskip") && script.contains("env-file"), "{script}");
    }
    assert!(mynah(&["man"]).contains(".TH mynah 1"));
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    mynah(&["man", "--write", pages.to_str().unwrap()]);
    let page = std::fs::read_to_string(pages.join("mynah-jobs-skip.1")).unwrap();
    assert!(page.contains("yes") && page.contains("env\\-file"), "{page}");
}

/// `mynah preview --to …` in an empty folder, with these variables and flags.
fn preview_without_file(folder: &Path, environment: &[(&str, &str)], args: &[&str]) -> Output {
    let mut mynah = Command::new(env!("CARGO_BIN_EXE_mynah"));
    mynah.env_clear().envs(environment.iter().copied()).current_dir(folder).arg("preview").args(args);
    run_with_input(mynah, "Good morning to all of you\n")
}

#[actix_rt::test]
async fn a_preview_needs_no_settings_file_but_an_engine() {
    let town = Town::new(numbered(1), &["es"], "gemini").await;
    let key = mynah_sandbox::credentials("town_es").gemini_api_key;
    let gemini = format!("engine.gemini.base_url={}", town.sandbox.url());
    let folder = tempfile::tempdir().unwrap();
    let environment = [("GEMINI_API_KEY", key.as_str())];
    let output =
        preview_without_file(folder.path(), &environment, &["--to", "de,fr", "--json", "--set", &gemini]);
    output.assert_success();
    let shown: Value = serde_json::from_str(&output.out).unwrap();
    for (number, language) in ["de", "fr"].into_iter().enumerate() {
        let target = &shown["targets"][number];
        assert_eq!((&target["language"], &target["account"]), (&json!(language), &Value::Null));
        assert!(target["text"].is_string(), "{target}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it writes nothing");

    let none = preview_without_file(folder.path(), &[], &["--to", "de"]);
    assert_eq!(none.code, Some(2));
    assert!(none.err.contains("GEMINI_API_KEY"), "{}", none.err);
    let post = preview_without_file(folder.path(), &environment, &["1234", "--to", "de"]);
    assert_eq!(post.code, Some(2));
    assert!(post.err.contains("name a settings file with --config"), "{}", post.err);
    let own = preview_without_file(folder.path(), &environment, &["--to", "en"]);
    assert_eq!(own.code, Some(2));
    let source = preview_without_file(folder.path(), &environment, &["--to", "de", "--source", "town"]);
    assert_eq!(source.code, Some(2));
    assert!(source.err.contains("--source names a source of a settings file"), "{}", source.err);
}

#[actix_rt::test]
async fn with_a_settings_file_a_preview_also_shows_other_languages() {
    let town = Town::new(numbered(1), &["es", "ca"], "gemini").await;
    let output = town.preview(&["--to", "de,es", "--json"], "Good morning to all of you");
    output.assert_success();
    let shown: Value = serde_json::from_str(&output.out).unwrap();
    let targets = shown["targets"].as_array().unwrap().iter();
    let accounts: Vec<_> = targets.map(|target| (&target["language"], &target["account"])).collect();
    assert_eq!(accounts, [(&json!("de"), &Value::Null), (&json!("es"), &json!("town_es"))]);
}

#[actix_rt::test]
async fn an_offline_check_needs_no_secret_and_changes_nothing() {
    let town = Town::new(numbered(1), &["es", "fr"], "gemini").await;
    let lint = |more: &[&str]| {
        let mut mynah = Command::new(env!("CARGO_BIN_EXE_mynah"));
        mynah.env_clear().args(["check", "--offline", "--config"]).arg(town.config()).args(more);
        Output::from(mynah.output().unwrap())
    };
    let fine = lint(&[]);
    fine.assert_success();
    assert!(fine.out.lines().count() < 8, "{}", fine.out);
    assert!(fine.out.contains("not set here, but needed to run: GEMINI_API_KEY, "), "{}", fine.out);
    assert!(fine.out.trim_end().ends_with("keys and services were not checked."), "{}", fine.out);
    lint(&["--set", "admin.listen=0.0.0.0:7878"]).assert_success();
    // What is installed here says nothing about the machine where Mynah will run.
    let apertium = lint(&["--set", "engine.order=apertium", "--set", "source.language=ja"]);
    apertium.assert_success();
    assert!(apertium.out.contains("warn  engines: on this machine, no engine"), "{}", apertium.out);
    assert!(!town.folder.path().join("data").exists());
    assert_eq!(lint(&["--set", "source.poll_interval=soon"]).code, Some(2));
}

#[actix_rt::test]
async fn a_check_says_nothing_from_memory_and_its_verdict_comes_last() {
    let town = Town::new(numbered(1), &["es"], "gemini").await;
    town.once().assert_success();
    let fine = run(&town, &["check"]);
    fine.assert_success();
    assert_eq!(fine.out.trim_end().lines().last(), Some("All 5 checks passed."));
    let gone = run(&town, &["check", "--set", "x.base_url=http://127.0.0.1:1"]);
    assert_eq!(gone.code, Some(1));
    assert!(!gone.out.contains("found on X"), "{}", gone.out);
    assert!(gone.out.contains("FAIL  source @town"), "{}", gone.out);
    assert_eq!(gone.final_message(), "mynah: 2 checks failed: source @town, target @town_es\n");
    let all = run(&town, &["check", "--all"]);
    let (settings, verdict) = (all.out.find("publisher.min_interval"), all.out.find("All 5 checks passed."));
    assert!(settings.is_some() && settings < verdict, "{}", all.out);
}

#[actix_rt::test]
async fn one_typo_counts_once() {
    let town = Town::new(numbered(1), &["es"], "gemini").await;
    let config = std::fs::read_to_string(town.config()).unwrap();
    for (right, wrong, fix) in [
        ("account = \"town\"", "acount = \"town\"", "did you mean source.account?"),
        ("account = \"town_es\"", "acount = \"town_es\"", "did you mean targets.account?"),
        ("[source]", "[sorce]", "did you mean [source]?"),
        ("[[targets]]", "[[target]]", "did you mean [targets"),
    ] {
        std::fs::write(town.config(), config.replace(right, wrong)).unwrap();
        let output = run(&town, &["check", "--offline"]);
        assert_eq!(output.code, Some(2));
        assert!(output.err.contains("there is a problem in the settings"), "{wrong}: {}", output.err);
        assert!(output.err.contains(fix), "{wrong}: {}", output.err);
    }
    let check = run(&town, &["check", "--offline", "--json"]);
    assert_eq!(check.code, Some(2));
    let problems: Value = serde_json::from_str(&check.out).unwrap();
    assert_eq!((&problems["ok"], problems["problems"].as_array().unwrap().len()), (&json!(false), 1));
}

#[actix_rt::test]
async fn a_published_job_has_its_id_and_its_link_everywhere() {
    let town = Town::new(numbered(1), &["es"], "gemini").await;
    let running = service(&town, "data").await;
    town.until_published("es", 1).await;
    let published = || run_json(&town, &["jobs", "--state", "published"])["jobs"][0].clone();
    until("the job is published", || !published().is_null()).await;
    let id = town.publications("es")[0].id.to_string();
    let url = format!("https://x.com/town_es/status/{id}");
    let messages = json!([{"id": id, "url": url}]);
    assert_eq!(published()["messages"], messages);
    let table = run(&town, &["jobs", "--state", "published"]);
    assert!(table.out.contains(&url), "{}", table.out);
    let log = run(&town, &["logs"]).out;
    let line = log.lines().find(|line| line.contains(" job published ")).unwrap();
    assert!(line.contains(&format!("publication={id}")) && line.contains(&url), "{line}");
    assert_eq!(running.terminate(), Some(0));
    assert_eq!(published()["messages"], messages, "also without a service");
}

#[actix_rt::test]
async fn a_skip_is_confirmed_and_can_be_undone_and_nothing_is_published_twice() {
    let town = Town::new(numbered(2), &["es"], "gemini").await;
    town.order_faults(r#"{"rules": [{"endpoint": "x.post", "fault": {"x": "not_permitted"}, "count": 1}]}"#);
    town.once().assert_success();
    let before = run_json(&town, &["jobs"])["jobs"][0].clone();
    let id = before["id"].to_string();
    let unconfirmed = run(&town, &["jobs", "skip", &id]);
    assert_eq!(unconfirmed.code, Some(2));
    assert!(unconfirmed.err.contains(&format!("Skip job {id}?")), "{}", unconfirmed.err);
    assert!(unconfirmed.err.contains("--yes"), "{}", unconfirmed.err);
    assert_eq!(run_json(&town, &["jobs"])["jobs"][0]["state"], json!("held"));

    run(&town, &["jobs", "skip", "--yes", &id]).assert_success();
    assert_eq!(run_json(&town, &["jobs"])["jobs"], json!([]));
    let retried = run(&town, &["jobs", "retry", &id]);
    assert_eq!(retried.code, Some(1));
    assert!(retried.err.contains("mynah jobs unskip"), "{}", retried.err);
    let restored = run(&town, &["jobs", "unskip", &id]);
    restored.assert_success();
    assert_eq!(restored.out, "1 job restored\n");
    let mut after = run_json(&town, &["jobs"])["jobs"][0].clone();
    for counted_anew in ["updated_at", "attempt"] {
        after[counted_anew] = before[counted_anew].clone();
    }
    assert_eq!(after, before, "it is held again, for the same reason");
    let again = run(&town, &["jobs", "unskip", &id]);
    assert_eq!(again.code, Some(1));
    assert!(again.err.contains("it is held; only skipped jobs"), "{}", again.err);
    town.once().assert_success();
    assert_eq!(town.publications("es").len(), 1, "an undo publishes nothing that waited for a person");
    run(&town, &["jobs", "retry", &id]).assert_success();
    town.once().assert_success();
    town.once().assert_success();
    assert_eq!(town.publications("es").len(), 2);
}

#[actix_rt::test]
async fn what_was_translated_is_shown_though_it_is_too_long() {
    let story = "One more sentence of the long story of the port and its ships. ".repeat(6);
    let town = Town::new([story.trim()], &["es"], "apertium").await;
    let config = std::fs::read_to_string(town.config()).unwrap();
    let account = "account = \"town_es\"";
    let hold = format!("{account}\ntoo_long = \"hold\"");
    std::fs::write(town.config(), config.replace(account, &hold)).unwrap();
    town.once().assert_success();
    let held = run_json(&town, &["jobs"])["jobs"][0].clone();
    assert_eq!((&held["kind"], &held["translation"]), (&json!("too_long"), &Value::Null));
    let text = held["rejected"]["text"].as_str().unwrap();
    assert!(text.contains("historia") && text.chars().count() > 280, "{text}");
    let table = run(&town, &["jobs"]);
    assert!(table.out.contains("longer than 280") && table.out.contains(&text[..20]), "{}", table.out);
    // A retry translates it again, under the settings of then.
    std::fs::write(town.config(), config).unwrap();
    run(&town, &["jobs", "retry", "--kind", "too_long"]).assert_success();
    town.once().assert_success();
    assert_eq!(town.publications("es").len(), 2);
    let published = run_json(&town, &["jobs", "--state", "published"])["jobs"][0].clone();
    assert_eq!((&published["rejected"], published["messages"].as_array().unwrap().len()), (&Value::Null, 2));
}

#[actix_rt::test]
async fn a_reached_cap_names_the_setting_that_is_in_force() {
    let mut town = Town::new(numbered(3), &["es", "fr"], "gemini").await;
    town.settings.push("publisher.daily_cap=2".into());
    let config = std::fs::read_to_string(town.config()).unwrap();
    let account = "account = \"town_fr\"";
    let capped = config.replace(account, &format!("{account}\ndaily_cap = 1"));
    std::fs::write(town.config(), capped).unwrap();
    town.once().assert_success();
    let jobs = run_json(&town, &["jobs"])["jobs"].as_array().unwrap().clone();
    for (target, key) in
        [("x:town_es", "raise publisher.daily_cap"), ("x:town_fr", "raise targets[1].daily_cap")]
    {
        let job = jobs.iter().find(|job| job["target"] == target && job["kind"] == "cap").unwrap();
        assert!(job["reason"].as_str().unwrap().ends_with(key), "{job}");
    }
}
