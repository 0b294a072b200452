//! The built binary between files and X, as a pipe, and with what goes wrong with files.

use std::{fs, path::Path, process::Command};

use mynah_sandbox::{MediaKind, TimelineMedia, TimelinePost};
use serde_json::json;

use crate::{
    PNG,
    support::{Output, Town, message, numbers as numbers_of, run, run_json, until},
    town::{append, base, media_folder, messages_of, numbers, town},
};

fn line(number: usize) -> String {
    format!("{}\n", json!({ "id": number, "text": message(number) }))
}

#[actix_rt::test]
async fn posts_go_from_a_file_to_x_with_threads_pictures_and_warnings() {
    let town = town(("file", "town.jsonl"), &[("x", "town_es", "es")]).await;
    let path = base(&town).join("town.jsonl");
    fs::create_dir(base(&town).join("pictures")).unwrap();
    fs::write(base(&town).join("pictures/dog.png"), PNG).unwrap();
    append(&path, &line(1));
    let media = json!([{ "file": "pictures/dog.png", "alt": "A white dog under a tree" }]);
    append(
        &path,
        &format!("{}\n", json!({ "id": "2", "text": message(2), "reply_to": "1", "media": media })),
    );
    append(&path, &format!("{}\n", json!({ "text": message(3), "warning": "Spoilers for the festival" })));

    let check = run(&town, &["check"]);
    assert_eq!(check.code, Some(0), "{}\n{}", check.out, check.err);
    let running = town.start(&["run"]);
    town.until_published("es", 3).await;
    append(&path, &line(4));
    town.until_published("es", 4).await;
    assert_eq!(running.terminate(), Some(0));
    let published = town.publications("es");
    assert_eq!(numbers_of(&published), [1, 2, 3, 4], "{}", town.log_tail());
    assert_eq!(published[1].reply_to, Some(published[0].id));
    assert!(published[1].media[0].alt.as_ref().is_some_and(|alt| !alt.is_empty()), "{:?}", published[1]);
    assert!(published[2].text.contains("\n\n"), "the warning is the first paragraph: {}", published[2].text);
}

#[actix_rt::test]
async fn posts_go_from_x_to_files_with_threads_and_pictures() {
    let town = town(("x", "town"), &[("file", "town_es.jsonl", "es"), ("file", "town_fr", "fr")]).await;
    let photo = TimelineMedia { kind: MediaKind::Photo, alt: Some("A white dog".into()), url: None };
    for number in 1..=3 {
        let post = TimelinePost::new(message(number));
        let post = if number < 3 { post.in_thread("trees") } else { post };
        let media = if number == 1 { vec![photo.clone()] } else { Vec::new() };
        town.sandbox.add_post(TimelinePost { media, ..post });
    }
    town.once().assert_success();
    for (account, language) in [("town_es.jsonl", "es"), ("town_fr", "fr")] {
        let shown = messages_of(&town, account);
        assert_eq!(numbers(&shown), [1, 2, 3], "{account}");
        assert_eq!(shown[1].reply_to.as_ref(), Some(&shown[0].id));
        assert_eq!(shown[0].whole["language"], language);
        let (file, alt) = &shown[0].media[0];
        let picture = fs::metadata(media_folder(&town, account).join(file));
        assert!(!alt.is_empty() && picture.unwrap().len() > 0, "{file}");
    }
}

#[actix_rt::test]
async fn one_mynahs_output_is_anothers_input_in_a_script() {
    let town = town(("file", "in.jsonl"), &[("file", "middle", "es")]).await;
    let mut second = self::town(("file", "in.jsonl"), &[("file", "out.jsonl", "fr")]).await;
    second.settings.push("source.account=middle".into());
    let warned = json!({ "text": message(2), "warning": "Spoilers for the festival", "sensitive": true });
    append(&base(&town).join("in.jsonl"), &format!("{}{warned}\n", line(1)));
    let file_folder = format!("file.folder={}", base(&town).display());
    let pipe = |numbers: &[usize]| {
        town.once().assert_success();
        let mut command = second.command(&["once", "--set", &file_folder, "--set", "source.language=es"]);
        Output::from(command.output().unwrap()).assert_success();
        let shown = messages_of(&town, "out.jsonl");
        assert_eq!(self::numbers(&shown), numbers);
        shown
    };
    let shown = pipe(&[1, 2]);
    assert_eq!(shown[1].whole["sensitive"], true);
    assert!(shown[1].warning.as_ref().is_some_and(|warning| !warning.is_empty()), "{shown:?}");
    append(&base(&town).join("in.jsonl"), &line(3));
    pipe(&[1, 2, 3]);
    // Nothing new.
    pipe(&[1, 2, 3]);
}

#[actix_rt::test]
async fn a_broken_line_is_held_with_its_raw_form_and_the_others_go_on() {
    let town = town(("file", "town.jsonl"), &[("file", "town_es.jsonl", "es")]).await;
    let path = base(&town).join("town.jsonl");
    let broken = format!("garbage \u{1F600}\n{}\n", json!({ "id": "7", "text": 7 }));
    append(&path, &format!("{}{broken}{}{{\"text\":\"half", line(1), line(2)));
    append(&path, "");
    town.once();
    assert_eq!(numbers(&messages_of(&town, "town_es.jsonl")), [1, 2]);
    let held = run_json(&town, &["jobs", "--state", "held"]).to_string();
    assert!(held.contains("garbage") && held.contains("could not be read"), "{held}");
    // A corrected line with the same id takes the place of the broken one.
    append(&path, &format!("\"}}\n{}\n", json!({ "id": "7", "text": message(7) })));
    town.once();
    let texts: Vec<String> =
        messages_of(&town, "town_es.jsonl").into_iter().map(|message| message.text).collect();
    assert!(
        texts.len() == 4 && texts.iter().any(|text| text.contains('7')),
        "{texts:?}\n{}",
        town.log_tail()
    );
}

#[actix_rt::test]
async fn a_rotated_file_loses_nothing_while_the_service_runs() {
    let town = town(("file", "town.jsonl"), &[("file", "town_es.jsonl", "es")]).await;
    let path = base(&town).join("town.jsonl");
    append(&path, &line(1));
    let running = town.start(&["run"]);
    until("the first line is published", || messages_of(&town, "town_es.jsonl").len() == 1).await;
    for round in 0..4 {
        for number in 1..=5 {
            append(&path, &line(1 + round * 5 + number));
        }
        fs::rename(&path, base(&town).join(format!("town.jsonl.{}", 4 - round))).unwrap();
        append(&path, "");
        let all = 1 + (round + 1) * 5;
        until("the lines are published", || messages_of(&town, "town_es.jsonl").len() >= all).await;
    }
    assert_eq!(running.terminate(), Some(0));
    assert_eq!(numbers(&messages_of(&town, "town_es.jsonl")), (1..=21).collect::<Vec<_>>());
}

#[actix_rt::test]
async fn a_broken_file_of_a_folder_is_read_again_when_a_person_corrected_and_retried_it() {
    let town = town(("file", "town"), &[("file", "town_es.jsonl", "es")]).await;
    let folder = base(&town).join("town");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("a.json"), "{\"txt\":\"a typo\"}").unwrap();
    fs::write(folder.join("b.json"), line(2)).unwrap();
    town.once();
    assert_eq!(numbers(&messages_of(&town, "town_es.jsonl")), [2]);
    fs::write(folder.join("a.json"), line(1)).unwrap();
    let retried = run(&town, &["jobs", "retry", "--kind", "unreadable"]);
    assert_eq!(retried.code, Some(0), "{}\n{}", retried.out, retried.err);
    town.once().assert_success();
    let shown = messages_of(&town, "town_es.jsonl");
    assert_eq!(numbers(&shown), [2, 1], "{}", run(&town, &["jobs", "--json"]).out);
}

#[actix_rt::test]
async fn a_folder_that_is_missing_is_named_and_nothing_is_lost_when_it_is_back() {
    let town = town(("file", "town.jsonl"), &[("file", "town_es.jsonl", "es")]).await;
    append(&base(&town).join("town.jsonl"), &line(1));
    let elsewhere = town.folder.path().join("elsewhere");
    fs::rename(base(&town), &elsewhere).unwrap();
    let check = run(&town, &["check"]);
    assert_ne!(check.code, Some(0));
    let printed = format!("{}{}", check.out, check.err);
    assert!(printed.contains("there is no folder files; create it, or set file.folder"), "{printed}");
    let running = town.start(&["run"]);
    until("the poll fails", || town.log().contains("poll failed")).await;
    assert!(town.log().contains("there is no folder files"), "{}", town.log_tail());
    fs::rename(&elsewhere, base(&town)).unwrap();
    until("it goes on", || messages_of(&town, "town_es.jsonl").len() == 1).await;
    assert_eq!(running.terminate(), Some(0));
}

/// A shell limits the size of files, which fails a write in the middle as a full disk does.
fn once_with_limit(town: &Town, kilobytes: usize) -> Output {
    let mynah = town.command(&["once"]);
    let mut shell = Command::new("bash");
    shell.args(["-c", &format!("trap '' XFSZ; ulimit -f {kilobytes}; exec \"$0\" \"$@\"")]);
    shell.arg(mynah.get_program()).args(mynah.get_args());
    shell.env_clear().current_dir(town.folder.path());
    shell.envs(mynah.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Output::from(shell.output().unwrap())
}

#[actix_rt::test]
async fn a_full_disk_leaves_no_half_line_and_the_message_is_written_when_there_is_room() {
    let town = town(("file", "town.jsonl"), &[("file", "town_es.jsonl", "es")]).await;
    append(&base(&town).join("town.jsonl"), &line(1));
    let target = base(&town).join("town_es.jsonl");
    // The ledger stays far below the limit, and the target has room for half a line.
    let filler = format!("{}\n", json!({ "id": "0", "text": message(0) }));
    let count = (8192 * 1024 - 100) / filler.len();
    let padding = " ".repeat(8192 * 1024 - 60 - count * filler.len());
    fs::write(&target, format!("{}{padding}\n", filler.repeat(count))).unwrap();
    let size = || fs::metadata(&target).unwrap().len();
    let before = size();
    let output = once_with_limit(&town, 8192);
    assert!(output.err.contains("make room for it"), "{}\n{}", output.out, output.err);
    assert_eq!(size(), before, "half a line is left");
    town.once().assert_success();
    let content = fs::read_to_string(&target).unwrap();
    let last = content.lines().last().unwrap();
    assert!(last.contains("\"language\":\"es\"") && content.ends_with('\n'), "{last}");
}

/// Whether this user may write where nobody may.
fn may_write_anything(folder: &Path) -> bool {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
}

#[actix_rt::test]
async fn a_read_only_folder_is_named_by_a_check() {
    use std::os::unix::fs::PermissionsExt as _;
    let town = town(("file", "town.jsonl"), &[("file", "town_es", "es")]).await;
    append(&base(&town).join("town.jsonl"), &line(1));
    fs::set_permissions(base(&town), fs::Permissions::from_mode(0o500)).unwrap();
    if may_write_anything(&base(&town)) {
        println!("this user may write in a read-only folder: not tested");
        return;
    }
    let check = run(&town, &["check"]);
    let printed = format!("{}{}", check.out, check.err);
    assert!(printed.contains("let Mynah's user read and write it"), "{printed}");
    fs::set_permissions(base(&town), fs::Permissions::from_mode(0o700)).unwrap();
    town.once().assert_success();
    assert_eq!(numbers(&messages_of(&town, "town_es")), [1]);
}
