//! Firefox's catalogue of translation models on loopback, in the form of Mozilla's Remote Settings, with a model made of random
//! numbers. It translates nothing, but it is one: of the right format, with a vocabulary of its own, and small.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    http::header,
    web::{Data, Path, get},
};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// How many numbers stand for a piece of a word.
const WIDTH: i32 = 16;

/// What goes wrong with the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CatalogFault {
    /// Nothing.
    #[default]
    None,
    /// The server ignores `Range` and answers with the whole file.
    WholeFiles,
    /// The files have other bytes than the catalogue says.
    OtherBytes,
    /// What is in the files has other bytes than the catalogue says.
    OtherContent,
    /// Only the first so many bytes of a file can be read; then the server answers 503.
    Until(usize),
    /// No file is there.
    Gone,
}

/// A server of models.
#[derive(Debug)]
pub struct ModelServer {
    address: SocketAddr,
    shelf: Arc<Shelf>,
    server: ServerHandle,
}

/// What the server has.
#[derive(Debug, Default)]
struct Shelf {
    /// Each `(from, to, version)`.
    models: Mutex<Vec<(String, String, String)>>,
    fault: Mutex<CatalogFault>,
    /// The files that were asked for, with their ranges.
    requests: Mutex<Vec<String>>,
}

impl ModelServer {
    /// Starts a server with models for these directions, each `(from, to, version)`.
    ///
    /// # Errors
    /// No port is free.
    pub fn start(models: &[(&str, &str, &str)]) -> io::Result<Self> {
        let shelf = Arc::new(Shelf::default());
        let on_server = Data::from(shelf.clone());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(on_server.clone())
                .route("/v1/", get().to(info))
                .route("/v1/buckets/main/collections/translations-models-v2/records", get().to(records))
                .route("/files/{name}", get().to(file))
        });
        let server = server.workers(1).disable_signals().bind("127.0.0.1:0")?;
        let address = server.addrs().first().copied().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let server = server.run();
        let handle = server.handle();
        actix_rt::spawn(server);
        let server = Self { address, shelf, server: handle };
        server.offer(models);
        Ok(server)
    }

    /// Its address, for `engine.firefox.models_url`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes the models that it has.
    pub fn offer(&self, models: &[(&str, &str, &str)]) {
        let models =
            models.iter().map(|(from, to, version)| ((*from).into(), (*to).into(), (*version).into()));
        *lock(&self.shelf.models) = models.collect();
    }

    /// Changes what goes wrong.
    pub fn set_fault(&self, fault: CatalogFault) {
        *lock(&self.shelf.fault) = fault;
    }

    /// The requests for files since the last call of this: each `name bytes=…`.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.shelf.requests))
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        // It stops without anybody waiting for it.
        drop(self.server.stop(false));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn info() -> HttpResponse {
    HttpResponse::Ok().json(json!({
        "project_name": "Remote Settings", "capabilities": {"attachments": {"base_url": "files/"}}
    }))
}

async fn records(shelf: Data<Shelf>) -> HttpResponse {
    let mut data = vec![json!({"id": "other", "schema": 1})];
    let fault = *lock(&shelf.fault);
    for (from, to, version) in &*lock(&shelf.models) {
        data.push(record(from, to, version, "model", &random_model()));
        data.push(record(from, to, version, "vocab", &random_vocabulary()));
        data.push(record(from, to, version, "lex", b"shortlist"));
    }
    if fault == CatalogFault::OtherContent {
        for record in &mut data[1..] {
            record["decompressedHash"] = hash(b"other content").into();
        }
    }
    HttpResponse::Ok().json(json!({"data": data}))
}

fn record(from: &str, to: &str, version: &str, kind: &str, content: &[u8]) -> Value {
    let packed = packed(content);
    json!({
        "name": format!("{kind}.{from}{to}.bin"), "fileType": kind, "sourceLanguage": from, "targetLanguage": to,
        "version": version, "architecture": "tiny", "decompressedHash": hash(content), "decompressedSize": content.len(),
        "filter_expression": "", "id": format!("{kind}-{from}-{to}"), "last_modified": 1,
        "attachment": {
            "hash": hash(&packed), "size": packed.len(), "filename": format!("{kind}.zst"), "location": format!("{kind}.zst"),
            "mimetype": "application/zstd",
        },
    })
}

async fn file(shelf: Data<Shelf>, name: Path<String>, request: HttpRequest) -> HttpResponse {
    let range =
        request.headers().get(header::RANGE).and_then(|range| range.to_str().ok()).unwrap_or_default();
    lock(&shelf.requests).push(format!("{name} {range}").trim().to_owned());
    let fault = *lock(&shelf.fault);
    let content = match name.as_str() {
        "model.zst" => random_model(),
        "vocab.zst" => random_vocabulary(),
        _ => return HttpResponse::NotFound().finish(),
    };
    let mut body = packed(&content);
    match fault {
        CatalogFault::Gone => return HttpResponse::NotFound().body("no such file"),
        CatalogFault::OtherBytes => {
            if let Some(last) = body.last_mut() {
                *last ^= 1;
            }
        }
        _ => {}
    }
    let Some((first, last)) = parsed(range).filter(|_| fault != CatalogFault::WholeFiles) else {
        return HttpResponse::Ok().body(body);
    };
    let end = (last + 1).min(body.len());
    if matches!(fault, CatalogFault::Until(most) if end > most) {
        return HttpResponse::ServiceUnavailable().body("come back later");
    }
    match body.get(first..end) {
        Some(part) if !part.is_empty() => HttpResponse::PartialContent()
            .insert_header((header::CONTENT_RANGE, format!("bytes {first}-{}/{}", end - 1, body.len())))
            .body(part.to_vec()),
        _ => HttpResponse::RangeNotSatisfiable().finish(),
    }
}

/// The first and the last byte of a range.
fn parsed(range: &str) -> Option<(usize, usize)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

fn packed(content: &[u8]) -> Vec<u8> {
    compress_to_vec(content, CompressionLevel::Fastest)
}

fn hash(content: &[u8]) -> String {
    format!("{:x}", Sha256::digest(content))
}

/// The words that the model knows, besides single letters and marks.
const WORDS: [&str; 6] = ["▁the", "▁casa", "▁house", "▁red", "▁is", "▁"];

/// A `SentencePiece` vocabulary: the end, the unknown, some words, the letters, digits and marks.
pub fn random_vocabulary() -> Vec<u8> {
    let marks = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,!?'[]()-";
    let mut bytes = Vec::new();
    let words = WORDS.iter().map(|word| (*word).to_owned()).chain(marks.chars().map(String::from));
    let pieces =
        [("</s>".to_owned(), 3), ("<unk>".to_owned(), 2)].into_iter().chain(words.map(|word| (word, 1)));
    for (number, (piece, kind)) in pieces.enumerate() {
        // Field 1 is the text, 2 the score, 3 the kind.
        let mut message = vec![0x0a, length(piece.len())];
        message.extend(piece.as_bytes());
        message.push(0x15);
        message.extend((-f32::from(length(number))).to_le_bytes());
        message.extend([0x18, kind]);
        bytes.extend([0x0a, length(message.len())]);
        bytes.extend(message);
    }
    bytes
}

fn length(length: usize) -> u8 {
    // Shorter than 128 for all pieces there are.
    u8::try_from(length).unwrap_or(u8::MAX)
}

/// A Marian model with 32-bit floats: one layer on each side, and weights that are always the same.
pub fn random_model() -> Vec<u8> {
    let vocabulary = i32::try_from(2 + WORDS.len() + 72).unwrap_or(i32::MAX);
    let mut tensors: Vec<(String, Vec<i32>)> = vec![("Wemb".into(), vec![vocabulary, WIDTH])];
    let square = vec![WIDTH, WIDTH];
    let row = vec![1, WIDTH];
    for (layer, attention) in [("encoder_l1", "self"), ("decoder_l1", "context")] {
        for name in ["q", "k", "v", "o"] {
            tensors.push((format!("{layer}_{attention}_W{name}"), square.clone()));
            tensors.push((format!("{layer}_{attention}_b{name}"), row.clone()));
        }
        for name in ["1", "2"] {
            tensors.push((format!("{layer}_ffn_W{name}"), square.clone()));
            tensors.push((format!("{layer}_ffn_b{name}"), row.clone()));
        }
        for norm in [format!("{attention}_Wo"), "ffn_ffn".into()] {
            tensors.push((format!("{layer}_{norm}_ln_scale"), row.clone()));
            tensors.push((format!("{layer}_{norm}_ln_bias"), row.clone()));
        }
    }
    for name in ["rnn_W", "rnn_Wf"] {
        tensors.push((format!("decoder_l1_{name}"), square.clone()));
    }
    for name in ["rnn_bf", "rnn_ffn_ln_scale", "rnn_ffn_ln_bias"] {
        tensors.push((format!("decoder_l1_{name}"), row.clone()));
    }
    tensors.push(("decoder_ff_logit_out_b".into(), vec![1, vocabulary]));
    container(&tensors)
}

fn container(tensors: &[(String, Vec<i32>)]) -> Vec<u8> {
    const FLOAT: u64 = 0x404;
    const BYTES: u64 = 0x101;
    const NAME: &str = "special:model.yml";
    let settings = format!(
        "dim-emb: {WIDTH}\ntransformer-heads: 2\nenc-depth: 1\ndec-depth: 1\ntransformer-dim-ffn: {WIDTH}\n"
    );
    let mut random = fastrand::Rng::with_seed(1);
    let data: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(name, shape)| {
            let count: i32 = shape.iter().product();
            let center = if name.ends_with("_scale") { 1.0 } else { 0.0 };
            (0..count).flat_map(|_| (center + random.f32() - 0.5).to_le_bytes()).collect()
        })
        .collect();
    let mut bytes = Vec::new();
    let word = |bytes: &mut Vec<u8>, word: usize| bytes.extend((word as u64).to_le_bytes());
    word(&mut bytes, 1);
    word(&mut bytes, tensors.len() + 1);
    let mut head = |name: usize, kind: u64, dimensions: usize, data: usize| {
        word(&mut bytes, name);
        bytes.extend(kind.to_le_bytes());
        word(&mut bytes, dimensions);
        word(&mut bytes, data);
    };
    for ((name, shape), data) in tensors.iter().zip(&data) {
        head(name.len(), FLOAT, shape.len(), data.len());
    }
    head(NAME.len(), BYTES, 1, settings.len());
    for (name, _) in tensors {
        bytes.extend(name.as_bytes());
    }
    bytes.extend(NAME.as_bytes());
    let of_settings = i32::try_from(settings.len()).unwrap_or(i32::MAX);
    for dimension in tensors.iter().flat_map(|(_, shape)| shape).chain([&of_settings]) {
        bytes.extend(dimension.to_le_bytes());
    }
    bytes.extend(0_u64.to_le_bytes());
    bytes.extend(data.concat());
    bytes.extend(settings.as_bytes());
    bytes
}
