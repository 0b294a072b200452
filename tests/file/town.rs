//! A town whose accounts are files, and what is in them.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use mynah_sandbox::{RateLimits, SandboxConfig};
use serde_json::Value;

use crate::support::Town;

/// A message in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) text: String,
    pub(crate) reply_to: Option<String>,
    pub(crate) warning: Option<String>,
    /// The file and the alt text of each medium.
    pub(crate) media: Vec<(String, String)>,
    pub(crate) whole: Value,
}

impl Message {
    fn parse(json: &str) -> Self {
        let whole: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"));
        let text = |field: &str| whole[field].as_str().map(str::to_owned);
        let medium = |medium: &Value| {
            let field = |field: &str| medium[field].as_str().unwrap_or_default().to_owned();
            (field("file"), field("alt"))
        };
        Self {
            id: text("id").unwrap_or_default(),
            text: text("text").unwrap_or_default(),
            reply_to: text("reply_to"),
            warning: text("warning"),
            media: whole["media"].as_array().into_iter().flatten().map(medium).collect(),
            whole,
        }
    }
}

/// The messages of an account, oldest first. Fails if a whole line is no message.
pub(crate) fn messages(path: &Path) -> Vec<Message> {
    if !path.is_dir() {
        let content = fs::read_to_string(path).unwrap_or_default();
        // A last line without its break is still being written.
        let whole = content.rfind('\n').map_or("", |end| &content[..end]);
        return whole.lines().map(Message::parse).collect();
    }
    let names = fs::read_dir(path).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let is_message = |name: &String| {
        !name.starts_with('.') && Path::new(name).extension().is_some_and(|kind| kind == "json")
    };
    let mut names: Vec<String> = names.filter(is_message).collect();
    names.sort();
    names.iter().map(|name| Message::parse(&fs::read_to_string(path.join(name)).unwrap())).collect()
}

/// The first number in each text.
pub(crate) fn numbers(messages: &[Message]) -> Vec<usize> {
    let number = |message: &Message| {
        message.text.split(|c: char| !c.is_ascii_digit()).find_map(|digits| digits.parse().ok())
    };
    messages.iter().map(|message| number(message).unwrap_or_else(|| panic!("{message:?}"))).collect()
}

pub(crate) fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// An account that the settings name: its network, its name, and the language of a target.
pub(crate) type Account<'a> = (&'a str, &'a str, &'a str);

/// A town with these accounts. `files` in its folder is the base folder; accounts on X are on the sandbox, which also
/// translates.
pub(crate) async fn town(source: (&str, &str), targets: &[Account<'_>]) -> Town {
    let config = SandboxConfig {
        account: "town".into(),
        rate_limits: RateLimits::unlimited(),
        ..SandboxConfig::default()
    };
    let on_x: Vec<&str> =
        targets.iter().filter(|(network, ..)| *network == "x").map(|(_, _, language)| *language).collect();
    let config =
        on_x.iter().fold(config, |config, language| config.target(format!("town_{language}"), *language));
    let mut town = Town::on(mynah_sandbox::start(config).await.unwrap(), &on_x, "gemini");
    let keys = mynah_sandbox::credentials("");
    town.environment.push(("GEMINI_API_KEY".into(), keys.gemini_api_key));
    town.environment.push(("X_BEARER_TOKEN".into(), keys.app_bearer_token));
    let config = fs::read_to_string(town.config()).unwrap();
    let rest = &config[config.find("[engine]").unwrap()..];
    let (network, account) = source;
    let targets: Vec<String> = targets
        .iter()
        .map(|(network, account, language)| {
            format!(
                "[[targets]]\nnetwork = \"{network}\"\naccount = \"{account}\"\nlanguage = \"{language}\"\n"
            )
        })
        .collect();
    let text = format!(
        "data_dir = \"data\"\n[source]\nnetwork = \"{network}\"\naccount = \"{account}\"\nstart = \"beginning\"\npoll_interval = \"100ms\"\n\
         {}{rest}[file]\nfolder = \"files\"\n",
        targets.concat()
    );
    fs::write(town.config(), text).unwrap();
    fs::create_dir(base(&town)).unwrap();
    town
}

/// The base folder.
pub(crate) fn base(town: &Town) -> PathBuf {
    town.folder.path().join("files")
}

/// The folder that the names of an account's media are relative to.
pub(crate) fn media_folder(town: &Town, account: &str) -> PathBuf {
    let path = base(town).join(account);
    if path.is_dir() { path } else { base(town) }
}

/// The messages of an account that is a file or folder, oldest first.
pub(crate) fn messages_of(town: &Town, account: &str) -> Vec<Message> {
    messages(&base(town).join(account))
}
