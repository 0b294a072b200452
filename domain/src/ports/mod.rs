//! What the pipeline needs from the outside. Each port reports what matters about an outcome (was it sent? may it be
//! retried? when?), so that no actor ever has to read an HTTP status.
//!
//! Ports that do I/O return local futures: awc's client cannot leave its thread. A *factory* crosses threads instead.

pub mod clock;
pub mod destination;
pub mod engine;
pub mod leases;
pub mod ledger;
pub mod live;
pub mod media;
pub mod shared_cache;
pub mod source;

pub use clock::{Clock, SystemClock};
pub use destination::{
    Denied, Destination, Draft, DraftCard, MediaId, PublishError, Recent, Shown, Since, UploadError, Uploaded,
};
pub use engine::{CallShape, Engine, EngineError, Item, ItemError, Languages, MaxWeight, Reply, Usage};
pub use leases::Leases;
pub use ledger::{Decisions, Facts, Ledger, LedgerError, Listing, People, Retention, Spending, Work};
pub use live::{Live, News};
pub use media::{Content, FetchError, FetchedMedium, MediaFetcher, MediaLimits, Pieces};
pub use shared_cache::SharedCache;
pub use source::{Lookup, Page, PageRequest, Source, SourceError, Unreadable};
