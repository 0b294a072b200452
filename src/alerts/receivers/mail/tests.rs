use std::{path::Path, process::Command, sync::Arc};

use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::TcpListener,
    sync::mpsc,
};
use tokio_rustls::TlsAcceptor;

use super::*;

/// What a server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    Plain,
    /// It wants a name and a password.
    Login,
    /// Its certificate is its own.
    OwnCertificate,
    /// It offers encryption with that certificate.
    StartTls,
    Refuses,
    Hangs,
}

/// Speaks SMTP on a connection; sends the letter.
async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    server: Server,
    letters: mpsc::UnboundedSender<String>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut letter = None::<String>;
    stream.write_all(b"220 mail.test ESMTP\r\n").await?;
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        if let Some(text) = &mut letter {
            if line == ".\r\n" {
                let _ = letters.send(letter.take().unwrap_or_default());
                stream.write_all(b"250 2.0.0 queued as 17\r\n").await?;
            } else {
                text.push_str(&line);
            }
            continue;
        }
        let answer: &[u8] = match line.split_whitespace().next().unwrap_or_default() {
            "EHLO" if server == Server::Login => b"250-mail.test\r\n250 AUTH PLAIN\r\n",
            "EHLO" if server == Server::StartTls => b"250-mail.test\r\n250 STARTTLS\r\n",
            "EHLO" => b"250 mail.test\r\n",
            // hush-password for the user mynah.
            "AUTH" if line.trim() == "AUTH PLAIN AG15bmFoAGh1c2gtcGFzc3dvcmQ=" => b"235 welcome\r\n",
            "AUTH" => b"535 5.7.8 wrong\r\n",
            "RCPT" if server == Server::Refuses => b"550 5.1.1 no such user\r\n",
            "STARTTLS" => {
                stream.write_all(b"220 go on\r\n").await?;
                let tls = acceptor().accept(stream.into_inner()).await;
                return tls.map(drop);
            }
            "DATA" => {
                letter = Some(String::new());
                b"354 go on\r\n"
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => b"250 fine\r\n",
        };
        stream.write_all(answer).await?;
    }
}

/// Encrypts with a certificate that nobody else has signed.
fn acceptor() -> TlsAcceptor {
    crate::http_client::install_crypto_provider();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args([Path::new("-keyout"), &file("key"), Path::new("-out"), &file("certificate")])
        .output();
    assert!(made.is_ok_and(|made| made.status.success()), "openssl is needed for this test");
    let certificate = CertificateDer::from_pem_file(file("certificate")).unwrap();
    let key = PrivateKeyDer::from_pem_file(file("key")).unwrap();
    let config = rustls::ServerConfig::builder().with_no_client_auth();
    Arc::new(config.with_single_cert(vec![certificate], key).unwrap()).into()
}

/// Starts a server; returns its port and the letters that it gets.
async fn serve(server: Server) -> (u16, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, letters) = mpsc::unbounded_channel();
    actix_rt::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let sender = sender.clone();
            actix_rt::spawn(async move {
                // A client that ends the connection is part of these tests.
                let _ = match server {
                    Server::Hangs => return std::future::pending().await,
                    Server::OwnCertificate => match acceptor().accept(stream).await {
                        Ok(tls) => speak(tls, server, sender).await,
                        Err(error) => Err(error),
                    },
                    _ => speak(stream, server, sender).await,
                };
            });
        }
    });
    (port, letters)
}

fn mail(port: u16, encryption: Encryption, password: Option<&str>) -> Mail {
    Mail::new(MailSettings {
        server: "localhost".into(),
        port,
        encryption,
        login: password.map(|password| ("mynah".into(), password.into())),
        from: "Mynah <mynah@town.example>".parse().unwrap(),
        to: vec!["ops@town.example".parse().unwrap(), "Ñandú <second@town.example>".parse().unwrap()],
    })
}

async fn deliver(
    server: Server,
    encryption: Encryption,
    password: Option<&str>,
) -> (Result<String, NotDelivered>, Option<String>) {
    let (port, mut letters) = serve(server).await;
    let message = Message { summary: "Nothing on «x:pueblo»".into(), ..Message::test(Timestamp::now()) };
    let sent = mail(port, encryption, password).deliver(&message).await;
    (sent, letters.try_recv().ok())
}

#[actix_rt::test]
async fn a_letter_arrives_with_its_subject_and_text() {
    let (sent, letter) = deliver(Server::Plain, Encryption::None, None).await;
    assert_eq!(sent.unwrap(), "accepted it: 250 2.0.0 queued as 17");
    let letter = letter.unwrap();
    assert!(letter.contains("From: Mynah <mynah@town.example>\r\n"), "{letter}");
    assert!(letter.contains("ops@town.example") && letter.contains("second@town.example"), "{letter}");
    assert!(letter.contains("Subject: Mynah: ") || letter.contains("Subject: =?utf-8?"), "{letter}");
    assert!(letter.contains("test alerts (ticket)"), "{letter}");
    assert!(letter.lines().all(|line| line.len() < 1000), "{letter}");
}

#[actix_rt::test]
async fn a_password_is_accepted_or_refused_and_never_shown() {
    let (sent, letter) = deliver(Server::Login, Encryption::None, Some("hush-password")).await;
    assert!(sent.is_ok() && letter.is_some(), "{sent:?}");
    let (sent, letter) = deliver(Server::Login, Encryption::None, Some("hush-wrong")).await;
    let error = sent.unwrap_err().reason;
    assert!(error.contains("535") && !error.contains("hush") && letter.is_none(), "{error}");
    let (sent, letter) = deliver(Server::Login, Encryption::None, Some("")).await;
    assert!(sent.unwrap_err().reason.contains("MYNAH_ALERTS_MAIL_PASSWORD") && letter.is_none());
}

#[actix_rt::test]
async fn a_server_with_a_bad_certificate_gets_no_letter() {
    for (server, encryption) in
        [(Server::OwnCertificate, Encryption::Tls), (Server::StartTls, Encryption::StartTls)]
    {
        let (sent, letter) = deliver(server, encryption, Some("hush-password")).await;
        let error = sent.unwrap_err().reason;
        assert!(error.contains("certificate") && letter.is_none(), "{server:?}: {error}");
    }
}

#[actix_rt::test]
async fn a_server_that_offers_no_encryption_gets_no_letter() {
    for encryption in [Encryption::Tls, Encryption::StartTls] {
        let (sent, letter) = deliver(Server::Plain, encryption, Some("hush-password")).await;
        assert!(sent.is_err() && letter.is_none(), "{encryption:?}: {sent:?}");
    }
}

#[actix_rt::test]
async fn a_refusal_names_the_servers_reason() {
    let (sent, letter) = deliver(Server::Refuses, Encryption::None, None).await;
    assert!(sent.unwrap_err().reason.contains("no such user") && letter.is_none());
}

#[actix_rt::test]
async fn a_server_that_hangs_is_given_up() {
    let (port, _letters) = serve(Server::Hangs).await;
    let mail = mail(port, Encryption::None, None).with_timeout(Duration::from_millis(200));
    let error = mail.deliver(&Message::test(Timestamp::now())).await.unwrap_err().reason;
    assert!(error.contains("timed out") || error.contains("timeout"), "{error}");
}
