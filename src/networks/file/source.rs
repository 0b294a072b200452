//! The source: pages of an account's messages. Files are read on a thread that may block, and what is known about them is
//! stored before anybody sees a page, so that each message has the same position after a crash.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use mynah_domain::{
    PostId,
    ports::{Ledger, LedgerError, Lookup, Page, PageRequest, Source, SourceError},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::Mutex;

use super::{
    RULES,
    place::{Place, PlaceError},
};

/// A form of an account that is read. Its functions may block.
pub(super) trait Form: Debug + Clone + Send + 'static {
    /// What is known about the account between two pages.
    type Memory: Clone + Default + PartialEq + Serialize + DeserializeOwned + Send + 'static;

    /// The account.
    fn place(&self) -> &Place;

    /// One page, and what is known after it.
    fn page(&self, memory: Self::Memory, request: &PageRequest) -> Result<(Self::Memory, Page), SourceError>;

    /// One message, and what is known after it.
    fn by_id(&self, memory: Self::Memory, id: &PostId) -> Result<(Self::Memory, Lookup), SourceError>;
}

/// A file or folder as a source.
pub(super) struct FileSource<F: Form> {
    form: F,
    ledger: Arc<dyn Ledger>,
    /// `None` until it was read from the ledger. The lock lets only one call read the files.
    memory: Mutex<Option<F::Memory>>,
}

impl<F: Form> FileSource<F> {
    pub(super) fn new(form: F, ledger: Arc<dyn Ledger>) -> Self {
        Self { form, ledger, memory: Mutex::default() }
    }

    /// The fact with what is known about the account.
    fn key(&self) -> String {
        format!("{}:read:{}", RULES.name, self.form.place().name())
    }

    async fn stored(&self) -> Result<F::Memory, SourceError> {
        let stored = self.ledger.fact(&self.key()).await.map_err(unusable)?;
        // One of another version is lost: messages are then new, and the ledger recognizes those that it has.
        Ok(stored.and_then(|stored| serde_json::from_str(&stored).ok()).unwrap_or_default())
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(F, F::Memory) -> Result<(F::Memory, T), SourceError> + Send + 'static,
    ) -> Result<T, SourceError> {
        let mut memory = self.memory.lock().await;
        let known = match &*memory {
            Some(known) => known.clone(),
            None => self.stored().await?,
        };
        let (form, before) = (self.form.clone(), known.clone());
        let (after, answer) = blocking(move || read(form, before)).await?;
        if after != known {
            let value = serde_json::to_string(&after);
            let value = value.map_err(|error| SourceError::Unavailable(error.to_string()))?;
            self.ledger.remember(&self.key(), &value).await.map_err(unusable)?;
        }
        *memory = Some(after);
        Ok(answer)
    }
}

#[async_trait(?Send)]
impl<F: Form> Source for FileSource<F> {
    async fn page(&self, request: &PageRequest) -> Result<Page, SourceError> {
        let request = request.clone();
        self.read(move |form, memory| form.page(memory, &request)).await
    }

    async fn by_id(&self, id: &PostId) -> Result<Lookup, SourceError> {
        let id = id.clone();
        self.read(move |form, memory| form.by_id(memory, &id)).await
    }

    /// An id says nothing about when its message appeared.
    fn position(&self, _: &PostId) -> Option<u64> {
        None
    }

    fn network(&self) -> &'static str {
        RULES.name
    }
}

/// Runs work on files on a thread that may block.
pub(super) async fn blocking<T: Send + 'static, E: From<Interrupted> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(Interrupted(error.to_string()).into()))
}

/// The thread that worked on files ended before the work was done.
#[derive(Debug)]
pub(super) struct Interrupted(pub(super) String);

impl From<Interrupted> for SourceError {
    fn from(Interrupted(why): Interrupted) -> Self {
        Self::Unavailable(format!("reading the files was interrupted: {why}"))
    }
}

/// An account that was there before is only away: somebody rotates or replaces it.
pub(super) fn known_account(error: PlaceError, is_known: bool) -> SourceError {
    match error {
        PlaceError::Missing(_) if is_known => SourceError::Unavailable(error.to_string()),
        error => error.into(),
    }
}

fn unusable(error: LedgerError) -> SourceError {
    SourceError::Unavailable(error.into())
}
