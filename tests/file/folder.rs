//! What is special about folders: names, copies, files that are being written, and what does not belong there.

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    time::{Duration, SystemTime},
};

use mynah_domain::{
    PostId,
    ports::{Lookup, PageRequest, Source},
};

use crate::Bench;

type Folder = Bench<false>;

/// The texts after a post, oldest first, and the newest post.
async fn poll(source: &dyn Source, after: Option<PostId>) -> (Vec<String>, Option<PostId>) {
    let request = PageRequest { after: after.clone(), limit: 100, ..PageRequest::default() };
    let mut page = source.page(&request).await.unwrap();
    assert!(page.unreadable.is_empty() && page.oddities.is_empty(), "{page:?}");
    let newest = page.posts.first().map(|post| post.id.clone()).or(after);
    page.posts.reverse();
    (page.posts.into_iter().map(|post| post.text).collect(), newest)
}

impl Folder {
    fn file(&self, name: &str, content: &str) {
        fs::write(self.path("town").join(name), content).unwrap();
    }

    fn set_age(&self, name: &str, age: Duration) {
        let file = File::options().write(true).open(self.path("town").join(name)).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    }
}

#[actix_rt::test]
async fn texts_and_messages_are_read_in_the_order_of_their_names_and_nothing_else_is() {
    let folder = Folder::with_posts(&[]);
    folder.file("b.txt", "two\r\nlines\n\n");
    folder.file("a.json", "{\"text\":\"one\"}");
    for name in ["dog.png", ".hidden.json", ".c.json.part", "README.md"] {
        folder.file(name, "nothing");
    }
    fs::create_dir(folder.path("town").join("more")).unwrap();
    assert_eq!(poll(&*folder.source_of("town"), None).await.0, ["one", "two\nlines"]);
}

#[actix_rt::test]
async fn a_file_that_appears_later_is_later_whatever_its_name_and_age() {
    let folder = Folder::with_posts(&[]);
    folder.file("m.txt", "first\n");
    let (_, newest) = poll(&*folder.source_of("town"), None).await;
    folder.file("a.txt", "copied\n");
    folder.set_age("a.txt", Duration::from_hours(10_000));
    folder.file("z.txt", "last\n");
    // After a restart, too.
    let (texts, newest) = poll(&*folder.source_of("town"), newest).await;
    assert_eq!(texts, ["copied", "last"]);
    folder.file("m.txt", "edited\n");
    folder.set_age("m.txt", Duration::ZERO);
    assert!(poll(&*folder.source_of("town"), newest.clone()).await.0.is_empty());
    fs::remove_file(folder.path("town").join("z.txt")).unwrap();
    folder.file("b.txt", "after the newest is gone\n");
    assert_eq!(poll(&*folder.source_of("town"), newest).await.0, ["after the newest is gone"]);
}

#[actix_rt::test]
async fn a_file_that_is_being_written_waits_and_a_broken_one_does_not() {
    let folder = Folder::with_posts(&[]);
    folder.file("a.json", "{\"text\":\"on");
    folder.file("b.txt", "two words, of which one is writ");
    folder.file("c.txt", "three\n");
    let source = folder.source_of("town");
    let (texts, newest) = poll(&*source, None).await;
    assert_eq!(texts, ["three"]);
    folder.file("a.json", "{\"text\":\"one\"}");
    folder.set_age("b.txt", Duration::from_secs(10));
    let (texts, newest) = poll(&*source, newest).await;
    assert_eq!(texts, ["one", "two words, of which one is writ"]);
    folder.file("d.json", "{\"text\":\"four");
    folder.set_age("d.json", Duration::from_secs(10));
    folder.file("e.txt", &"x".repeat(300_000));
    folder.set_age("e.txt", Duration::from_secs(10));
    folder.file("f.txt", "six\n");
    let page =
        source.page(&PageRequest { after: newest, limit: 10, ..PageRequest::default() }).await.unwrap();
    assert_eq!(page.posts[0].text, "six");
    let reasons: Vec<_> = page.unreadable.iter().map(|post| post.reason.as_str()).collect();
    assert!(reasons[0].contains("more than 262144 bytes") && reasons[1].contains("EOF"), "{reasons:?}");
    assert_eq!(page.unreadable[1].raw, "{\"text\":\"four");
}

#[actix_rt::test]
async fn a_symlink_out_of_the_base_folder_is_held_and_never_read() {
    let folder = Folder::with_posts(&[]);
    let secret = folder.folder.path().join("secret");
    fs::write(&secret, "{\"text\":\"the secret\"}").unwrap();
    symlink(&secret, folder.path("town").join("a.json")).unwrap();
    let source = folder.source_of("town");
    let page = source.page(&PageRequest { limit: 10, ..PageRequest::default() }).await.unwrap();
    assert!(
        page.posts.is_empty() && page.unreadable[0].reason.contains("leads out of file.folder"),
        "{page:?}"
    );
    assert!(!format!("{page:?}").contains("the secret"));
    for id in ["../secret", "/etc/hostname", "..", ""] {
        assert!(matches!(source.by_id(&PostId(id.into())).await, Ok(Lookup::Gone(_))), "{id}");
    }
}
