//! What a message shows beside its text: the card of a link, and a quoted message. The built binary republishes an account
//! on Bluesky's real server on another.

use mynah_domain::{
    Card, PublicationKey,
    ports::{Content, Draft, DraftCard, FetchedMedium},
};
use mynah_sandbox::SandboxConfig;
use serde_json::{Value, json};

use crate::{PNG, Town, server::Parser, support};

const LINK: &str = "https://town.example/bridge?a=b";

fn draft(text: &str) -> Draft {
    Draft::new(PublicationKey::new(jiff::Timestamp::now()), text)
}

async fn records(town: &Town) -> Vec<Value> {
    town.target.posts().await.into_iter().map(|(_, record)| record).collect()
}

#[actix_rt::test]
async fn the_server_accepts_a_card_and_a_quote_and_both_together() {
    let Some(town) = Town::new().await else { return };
    let destination = town.destination();
    let png =
        FetchedMedium { mime: "image/png", size: PNG.len() as u64, content: Content::Whole(PNG.to_vec()) };
    let thumb = destination.upload(png, "").await.unwrap().id;
    let words = Card::new(LINK, "El puente", "Abre hoy", None).unwrap().words;
    let card = Some(DraftCard { url: LINK.into(), words, picture: Some(thumb) });
    let first = destination.publish(&Draft { card: card.clone(), ..draft("Uno") }).await.unwrap();
    let quote = Some(first.clone());
    destination.publish(&Draft { quote: quote.clone(), ..draft("Dos") }).await.unwrap();
    let both = Draft { card, quote, ..draft("Tres") };
    // Another destination has to look the quoted message up.
    let id = town.destination().publish(&both).await.unwrap();
    let before = records(&town).await;
    assert_eq!(destination.publish(&both).await.unwrap(), id);
    assert_eq!(records(&town).await, before, "the same message is the same record");

    let read = Parser::start().read(&before);
    assert!(read.iter().all(|read| read["valid"] == true), "{read:?}");
    let [one, two, three] = &before[..] else { panic!("{before:?}") };
    let external = &one["embed"]["external"];
    assert_eq!((&external["uri"], &external["title"]), (&json!(LINK), &json!("El puente")));
    assert_eq!(
        (&external["description"], &external["thumb"]["size"]),
        (&json!("Abre hoy"), &json!(PNG.len()))
    );
    let quoted = &two["embed"]["record"];
    assert!(quoted["uri"].as_str().unwrap().ends_with(&first.0), "{quoted}");
    assert_eq!((&three["embed"]["record"]["record"], &three["embed"]["media"]), (quoted, &one["embed"]));
}

#[actix_rt::test]
async fn a_card_is_translated_and_a_quote_leads_to_the_translation() {
    let Some(town) = Town::new().await else { return };
    let sandbox = mynah_sandbox::start(SandboxConfig::default()).await.unwrap();
    let (gemini, bluesky) = (sandbox.url(), town.proxy.url());
    let mut service = support::Town::on(sandbox, &[], "gemini");
    service.environment.push(("GEMINI_API_KEY".into(), mynah_sandbox::credentials("town").gemini_api_key));
    service.environment.push((town.target.variable(), town.target.app_password.clone()));
    let (source, target) = (&town.source.handle, &town.target.handle);
    let settings = format!(
        "data_dir = \"{}\"\n[source]\nnetwork = \"bluesky\"\naccount = \"{source}\"\nstart = \"beginning\"\n\
         [[targets]]\nnetwork = \"bluesky\"\nlanguage = \"es\"\naccount = \"{target}\"\n\
         [engine]\norder = [\"gemini\"]\n[engine.gemini]\nbase_url = \"{gemini}\"\n\
         [bluesky]\nbase_url = \"{bluesky}\"\nplc_url = \"{bluesky}\"\nstream = \"server\"\n\
         [publisher]\nmin_interval = \"0s\"\n[admin]\nlisten = \"127.0.0.1:0\"\n",
        service.folder.path().join("data").display()
    );
    std::fs::write(service.config(), settings).unwrap();

    let (title, description) = ("The bridge is open again", "It was closed for the whole winter");
    let thumb = town.source.upload("image/png", PNG.to_vec()).await;
    let external = json!({"uri": LINK, "title": title, "description": description, "thumb": thumb});
    let card = json!({"$type": "app.bsky.embed.external", "external": external});
    let post = |number| support::message(number);
    let (_, first) = town.source.write(&post(1), json!({"langs": ["en"], "embed": card})).await;
    let quote = json!({"$type": "app.bsky.embed.record", "record": first});
    town.source.write(&post(2), json!({"langs": ["en"], "embed": quote})).await;
    let (_, other) = town.target.write("Hola", json!({})).await;
    let quote = json!({"$type": "app.bsky.embed.record", "record": other});
    town.source.write(&post(3), json!({"langs": ["en"], "embed": quote})).await;
    service.once().assert_success();

    let published: Vec<(String, Value)> = town.target.posts().await.into_iter().skip(1).collect();
    let [(first, with_card), (_, with_quote), (_, with_other)] = &published[..] else {
        panic!("{published:?}\n{}", service.log_tail())
    };
    let external = &with_card["embed"]["external"];
    assert_eq!((&external["uri"], &external["thumb"]), (&json!(LINK), &thumb));
    for (name, own) in [("title", title), ("description", description)] {
        let shown = external[name].as_str().unwrap();
        assert!(!shown.is_empty() && shown != own, "{external}");
    }
    assert!(with_card["text"].as_str().unwrap().ends_with(LINK), "{with_card}");
    let quoted = with_quote["embed"]["record"]["uri"].as_str().unwrap();
    assert_eq!(quoted, format!("at://{}/app.bsky.feed.post/{first}", town.target.did));
    assert_eq!(with_other.get("embed"), None, "nothing of another account is quoted");
}
