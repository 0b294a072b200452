//! The ways to a ledger on a server: encrypted as `sslmode` says, with a password, and through a connection pooler.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

#[path = "support/pgbouncer.rs"]
mod pgbouncer;
#[path = "support/postgres.rs"]
#[allow(dead_code, reason = "each test program uses a part of it")]
mod postgres;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use mynah::ledger::{Opened, Place, open_service, postgres::Address};
use mynah_domain::ports::{
    SystemClock,
    leases::{InstanceId, LeaseName},
};
use pgbouncer::{PgBouncer, PoolMode};
use postgres::{Server, free_port, give_to_server};

/// A server that accepts connections by TCP, with the certificate of an authority that nobody else trusts.
struct Guarded {
    server: Server,
    port: u16,
    files: tempfile::TempDir,
}

impl Guarded {
    /// The certificate names `localhost`. `access` is the server's `pg_hba.conf`. `None` if PostgreSQL is not installed.
    fn start(access: &str) -> Option<Self> {
        let files = tempfile::tempdir().unwrap();
        let path = |name: &str| files.path().join(name);
        give_to_server(files.path());
        certificates(files.path());
        std::fs::write(path("pg_hba.conf"), format!("local all all trust\n{access}\n")).unwrap();
        for name in ["server.pem", "server.key", "pg_hba.conf"] {
            give_to_server(&path(name));
        }
        let port = free_port();
        let setting = |name: &str, file: &str| format!("{name}={}", path(file).display());
        let settings = [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            "ssl=on".to_owned(),
            setting("ssl_cert_file", "server.pem"),
            setting("ssl_key_file", "server.key"),
            setting("hba_file", "pg_hba.conf"),
        ];
        let server = Server::start_on(port, &settings.each_ref().map(String::as_str))?;
        Some(Self { server, port, files })
    }

    fn file(&self, name: &str) -> String {
        self.files.path().join(name).display().to_string()
    }

    /// The URL of a new, empty database at a host, with this query.
    fn url(&self, host: &str, query: &str) -> String {
        let local = self.server.database();
        let name = local.rsplit('/').next().unwrap();
        format!("postgres://mynah@{host}:{}/{name}{query}", self.port)
    }
}

/// Writes an authority, a certificate of it for `localhost`, and another authority.
fn certificates(folder: &Path) {
    let run = |arguments: &str| {
        let done = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().unwrap();
        assert!(done.status.success(), "{arguments}: {}", String::from_utf8_lossy(&done.stderr));
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    for authority in ["authority", "other"] {
        run(&format!(
            "req -x509 {key} -keyout {authority}.key -out {authority}.pem -days 2 -subj /CN={authority}"
        ));
    }
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n")
        .unwrap();
    run(&format!("req -new {key} -keyout server.key -out server.csr -subj /CN=localhost"));
    run(
        "x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 -extfile names -out server.pem",
    );
}

async fn open(url: &str, password: Option<&str>) -> Result<Opened, String> {
    let mut address = Address::parse(url).unwrap();
    if let Some(password) = password {
        address = address.with_password(&password.into());
    }
    let folder: PathBuf = tempfile::tempdir().unwrap().keep();
    let place = Place::Server { address: Box::new(address), data_dir: folder };
    let opened = open_service(&place, &InstanceId::from("one"), Arc::new(SystemClock), |_| {}).await;
    opened.map_err(|error| error.to_string())
}

#[actix_rt::test]
async fn each_sslmode_checks_what_it_promises() {
    let Some(guarded) = Guarded::start("hostssl all all 127.0.0.1/32 trust") else { return };
    let (authority, other) = (guarded.file("authority.pem"), guarded.file("other.pem"));
    let accepted = [
        ("127.0.0.1", String::new()),
        ("127.0.0.1", "?sslmode=prefer".into()),
        ("127.0.0.1", "?sslmode=require".into()),
        ("127.0.0.1", format!("?sslmode=require&sslrootcert={authority}")),
        ("127.0.0.1", format!("?sslmode=verify-ca&sslrootcert={authority}")),
        ("localhost", format!("?sslmode=verify-full&sslrootcert={authority}")),
    ];
    for (host, query) in accepted {
        let opened = open(&guarded.url(host, &query), None).await;
        assert!(opened.is_ok(), "{host} {query}: {:?}", opened.err());
    }
    let refused = [
        ("127.0.0.1", "?sslmode=disable".into(), "no encryption", "pg_hba.conf"),
        ("localhost", format!("?sslmode=require&sslrootcert={other}"), "certificate", "sslrootcert"),
        ("localhost", format!("?sslmode=verify-ca&sslrootcert={other}"), "certificate", "sslrootcert"),
        ("127.0.0.1", format!("?sslmode=verify-full&sslrootcert={authority}"), "certificate", "sslmode"),
        ("localhost", "?sslmode=verify-full".into(), "certificate", "sslrootcert"),
        ("localhost", "?sslmode=verify-full&sslrootcert=/nowhere.pem".into(), "/nowhere.pem", "sslrootcert"),
    ];
    for (host, query, what, fix) in refused {
        let error = open(&guarded.url(host, &query), None).await.err().unwrap();
        assert!(error.contains(what) && error.contains(fix), "{host} {query}: {error}");
    }
}

#[actix_rt::test]
async fn a_connection_that_must_be_encrypted_is_refused_by_a_server_that_cannot_encrypt() {
    let port = free_port();
    let settings = ["listen_addresses=127.0.0.1".to_owned(), format!("port={port}")];
    let Some(server) = Server::start_on(port, &settings.each_ref().map(String::as_str)) else { return };
    let url = |query: &str| {
        let name = server.database().rsplit('/').next().unwrap().to_owned();
        format!("postgres://mynah@127.0.0.1:{port}/{name}{query}")
    };
    assert!(open(&url("?sslmode=prefer"), None).await.is_ok());
    let error = open(&url("?sslmode=require"), None).await.err().unwrap();
    assert!(error.contains("TLS") && error.contains("sslmode"), "{error}");
}

#[actix_rt::test]
async fn a_wrong_password_is_named_and_not_repeated() {
    let Some(guarded) = Guarded::start("hostssl all all 127.0.0.1/32 scram-sha-256") else { return };
    guarded.server.sql("postgres", "ALTER ROLE mynah PASSWORD 'right'");
    let opened = open(&guarded.url("127.0.0.1", ""), Some("right")).await;
    assert!(opened.is_ok(), "{:?}", opened.err());
    for (password, what) in [(None, "password"), (Some("hunter2"), "password authentication failed")] {
        let error = open(&guarded.url("127.0.0.1", ""), password).await.err().unwrap();
        assert!(error.contains(what) && error.contains("MYNAH_LEDGER_PASSWORD"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[actix_rt::test]
async fn session_pooling_works() {
    let Some(server) = Server::shared() else { return };
    let Some(pooler) = PgBouncer::start(server, PoolMode::Session) else { return };
    let opened = open(&pooler.url(&server.database()), None).await;
    let (leases, _) = opened.unwrap().leases.unwrap();
    let source = LeaseName::Source("town".into());
    let term = std::time::Duration::from_mins(1);
    let fence = leases.acquire(&source, &InstanceId::from("one"), term).await.unwrap();
    assert!(fence.is_some());
}

#[actix_rt::test]
async fn transaction_pooling_is_refused_with_what_to_do() {
    let Some(server) = Server::shared() else { return };
    let Some(pooler) = PgBouncer::start(server, PoolMode::Transaction) else { return };
    let error = open(&pooler.url(&server.database()), None).await.err().unwrap();
    assert!(error.contains("pool_mode = session"), "{error}");
}
