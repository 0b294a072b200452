//! What reading from X and publishing on it have in common: signing, calling, and understanding its answers.

pub mod auth;
pub mod client;
pub mod clock;
pub mod fields;
pub mod notice;
pub mod post;
pub mod problem;
pub mod wire;

pub use auth::XAuth;
pub use client::XClient;
