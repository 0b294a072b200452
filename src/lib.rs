//! stub

pub mod engines;
pub mod http_client;
