use std::path::Path;

use secrecy::ExposeSecret as _;

use super::*;

const TARGET: &str = "[[targets]]\nlanguage = \"es\"\naccount = \"town_es\"\n";

fn secrets() -> HashMap<String, String> {
    let names = [
        "X_CONSUMER_KEY",
        "X_CONSUMER_SECRET",
        "X_TOWN_ES_ACCESS_TOKEN",
        "X_TOWN_ES_ACCESS_TOKEN_SECRET",
        "X_BEARER_TOKEN",
        "GEMINI_API_KEY",
    ];
    names.into_iter().map(|name| (name.to_owned(), format!("s3cret-{name}"))).collect()
}

fn load_with(text: &str, env: HashMap<String, String>, overrides: &[&str]) -> Result<Settings, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, text).unwrap();
    let overrides = overrides.iter().map(|given| (*given).to_owned()).collect();
    load(&SettingsSources { file: Some(file), env, overrides })
        .map_err(|error| error.to_string().replace(&folder.path().display().to_string(), "DIR"))
}

fn minimal() -> String {
    format!("[source]\naccount = \"town\"\n{TARGET}")
}

/// The problems of a file that is otherwise right.
fn problems(text: &str) -> String {
    load_with(text, secrets(), &[]).expect_err("it has a problem")
}

#[test]
fn the_smallest_file_takes_every_default() {
    let settings = load_with(&minimal(), secrets(), &[]).unwrap();
    assert_eq!(settings.source.poll_interval, Duration::from_mins(1));
    assert_eq!(settings.source.start, StartAt::Now);
    assert_eq!(settings.targets[0].daily_cap, Cap(Some(50)));
    assert_eq!(settings.engine.order, [EngineName::Gemini, EngineName::Apertium]);
    assert_eq!(settings.translator.pool_size, 4);
}

#[test]
fn the_file_of_the_project_is_right_and_holds_every_key_with_its_default() {
    let text = include_str!("../../config.toml");
    let env =
        secrets().into_iter().map(|(name, value)| (name.replace("TOWN_ES", "EXAMPLE_ES"), value)).collect();
    let full = load_with(text, env, &[]).unwrap();
    let small = load_with(&minimal(), secrets(), &[]).unwrap();
    let docs = include_str!("../../docs/configuration.md");
    for (key, (value, place)) in &full.origins {
        assert!(place.contains("config.toml:"), "{key} is not in config.toml");
        let default = small.origins.get(key).map(|(value, _)| value);
        let set_by_whom =
            ["source.account", "targets[0].account", "targets[0].language"].contains(&key.as_str());
        assert!(set_by_whom || default == Some(value), "{key} = {value} is not its default, {default:?}");
        let documented = key.replace("[0]", "");
        assert!(docs.contains(&format!("`{documented}`")), "docs/configuration.md lacks {documented}");
    }
}

#[test]
fn all_mistakes_are_told_at_once_with_place_and_mend() {
    let text = r#"presett = "speed"
[source]
account = "no such handle!"
language = "klingon"
poll_interval = 60
[[targets]]
language = "spanish"
account = "town_es"
tone = "frendly"
[[targets]]
language = "ca"
account = "@Town_ES"
[engine]
order = ["deepl"]
[x]
base_url = "api.x.com"
consumer_secret = "oh no"
[translator]
pool_size = 0
pool_sise = 3
"#;
    insta::assert_snapshot!(load_with(text, HashMap::new(), &["translator.pool_size"]).unwrap_err());
}

#[test]
fn two_targets_on_one_account_and_a_target_on_the_source_are_told() {
    let text = format!("{}{TARGET}[[targets]]\nlanguage = \"en\"\naccount = \"TOWN\"\n", minimal());
    let told = problems(&text);
    assert!(told.contains("two targets publish on @town_es"), "{told}");
    assert!(told.contains("@TOWN is the followed account itself"), "{told}");
    assert!(told.contains("it is the source's own language, English"), "{told}");
}

#[test]
fn missing_secrets_are_told_by_name() {
    let told = load_with(&minimal(), HashMap::new(), &[]).unwrap_err();
    for name in secrets().keys().filter(|name| *name != "X_BEARER_TOKEN") {
        assert!(told.contains(&format!("{name}: it is missing")), "{name}: {told}");
    }
}

#[test]
fn a_secret_may_stand_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, "from-a-file\n").unwrap();
    let with_file = |path: &Path| {
        let mut env = secrets();
        env.remove("GEMINI_API_KEY");
        env.insert("GEMINI_API_KEY_FILE".into(), path.display().to_string());
        env
    };
    let settings = load_with(&minimal(), with_file(&file), &[]).unwrap();
    assert_eq!(settings.engine.gemini.unwrap().key.expose_secret(), "from-a-file");
    let told = load_with(&minimal(), with_file(&folder.path().join("none")), &[]).unwrap_err();
    assert!(told.contains("GEMINI_API_KEY_FILE") && told.contains("may read"), "{told}");
    let mut both = with_file(&file);
    both.insert("GEMINI_API_KEY".into(), "x".into());
    assert!(load_with(&minimal(), both, &[]).unwrap_err().contains("keep one of them"));
}

#[test]
fn the_other_name_of_geminis_key_is_understood() {
    let mut env = secrets();
    let key = env.remove("GEMINI_API_KEY").unwrap();
    env.insert("GOOGLE_API_KEY".into(), key);
    assert!(load_with(&minimal(), env, &[]).is_ok());
}

#[test]
fn gemini_needs_no_key_where_it_is_not_asked() {
    let mut env = secrets();
    env.remove("GEMINI_API_KEY");
    let settings = load_with(&minimal(), env, &["engine.order=apertium"]).unwrap();
    assert!(settings.engine.gemini.is_none());
}

#[test]
fn an_account_may_have_an_oauth_2_token_alone() {
    let env = HashMap::from([
        ("X_TOWN_ES_OAUTH2_TOKEN".to_owned(), "user".to_owned()),
        ("GEMINI_API_KEY".to_owned(), "key".to_owned()),
    ]);
    let settings = load_with(&minimal(), env, &[]).unwrap();
    assert!(matches!(settings.targets[0].auth, XAuth::User2(_)));
    assert!(matches!(settings.source.auth, XAuth::User2(_)), "the first target reads, too");
}

#[test]
fn flags_go_before_environment_before_file() {
    let text = format!("{}[router]\nqueue = 100\n", minimal());
    let mut env = secrets();
    assert_eq!(load_with(&text, env.clone(), &[]).unwrap().router_queue, 100);
    env.insert("MYNAH__ROUTER__QUEUE".into(), "200".into());
    assert_eq!(load_with(&text, env.clone(), &[]).unwrap().router_queue, 200);
    let settings = load_with(&text, env, &["router.queue=300"]).unwrap();
    assert_eq!(settings.router_queue, 300);
    assert_eq!(settings.origins["router.queue"], ("300".into(), "--set router.queue".into()));
}

#[test]
fn a_mistake_in_the_environment_is_told_by_its_variable() {
    let mut env = secrets();
    env.insert("MYNAH__ROUTER__QEUE".into(), "200".into());
    let told = load_with(&minimal(), env, &[]).unwrap_err();
    assert!(told.contains("MYNAH__ROUTER__QEUE: router.qeue: there is no such key"), "{told}");
    assert!(told.contains("did you mean router.queue?"), "{told}");
}

#[test]
fn a_preset_changes_defaults_and_no_more() {
    let speed = load_with(&format!("preset = \"speed\"\n{}", minimal()), secrets(), &[]).unwrap();
    assert_eq!(speed.translator.pool_size, 16);
    let text = format!("preset = \"speed\"\n{}[translator]\npool_size = 2\n", minimal());
    assert_eq!(load_with(&text, secrets(), &[]).unwrap().translator.pool_size, 2);
}

#[test]
fn a_file_that_is_no_toml_or_not_there_is_one_problem() {
    let told = problems("[source\naccount = 1");
    assert!(told.starts_with("1 problem in the settings\n  DIR/config.toml:1"), "{told}");
    let missing = load(&SettingsSources { file: Some("/nowhere/config.toml".into()), ..Default::default() });
    assert!(missing.unwrap_err().to_string().contains("name a file with --config"));
}

#[test]
fn nothing_shows_a_secret() {
    let settings = load_with(&minimal(), secrets(), &[]).unwrap();
    assert!(!format!("{settings:?}").contains("s3cret"));
    let text = minimal() + "[x]\nconsumer_secret = \"s3cret\"\n";
    assert!(!problems(&text).contains("s3cret"));
}

#[test]
fn where_a_ledger_begins_has_four_forms() {
    let start = |value: &str| {
        load_with(&minimal(), secrets(), &[&format!("source.start={value}")]).map(|s| s.source.start)
    };
    assert_eq!(start("beginning"), Ok(StartAt::Beginning));
    assert_eq!(
        start("1445880548472328192"),
        Ok(StartAt::After(mynah_domain::PostId("1445880548472328192".into()), 1_445_880_548_472_328_192))
    );
    assert!(matches!(start("2026-11-01T00:00:00Z"), Ok(StartAt::From(_))));
    assert!(start("yesterday").unwrap_err().contains("\"beginning\""));
}
