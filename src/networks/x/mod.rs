//! X, once Twitter: an account that is followed, and accounts that are published on.
//!
//! # Layout
//!
//! - [`source`], [`destination`]: the adapters of the domain's ports.
//! - [`client`], [`auth`], [`clock`]: signing and calling.
//! - [`wire`], [`fields`], [`post`], [`notice`], [`problem`]: understanding X's answers.
//! - [`text`]: how X reads and counts a text.

pub mod auth;
pub mod client;
pub mod clock;
pub mod destination;
pub mod fields;
pub mod notice;
pub mod post;
pub mod problem;
pub mod source;
pub mod text;
pub mod wire;

pub use auth::XAuth;
pub use client::XClient;
