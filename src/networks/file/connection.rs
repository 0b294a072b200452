//! An account that the settings name, with everything needed to read or write it.

use std::{rc::Rc, sync::Arc};

use async_trait::async_trait;
use mynah_actors::pipeline::Factory;
use mynah_domain::ports::{Destination, Ledger, MediaFetcher, Source};

use super::{
    destination::{FileDestination, Writer},
    folder::{FolderSource, FolderWriter},
    jsonl::{JsonlSource, JsonlWriter},
    media::FileMedia,
    place::Place,
    source::FileSource,
};
use crate::networks::{Followed, Published, Wanted};

/// An account that is followed, or published on.
#[derive(Debug, Clone)]
pub(super) struct FileAccount {
    place: Place,
}

impl FileAccount {
    pub(super) fn new(place: Place) -> Self {
        Self { place }
    }
}

#[async_trait(?Send)]
impl Followed for FileAccount {
    fn source(&self, _: Wanted, ledger: Arc<dyn Ledger>) -> Factory<Rc<dyn Source>> {
        let place = self.place.clone();
        if place.is_jsonl() {
            return Arc::new(move || {
                Rc::new(FileSource::new(JsonlSource { place: place.clone() }, ledger.clone()))
            });
        }
        Arc::new(move || Rc::new(FileSource::new(FolderSource { place: place.clone() }, ledger.clone())))
    }

    fn media(&self) -> Factory<Rc<dyn MediaFetcher>> {
        let media = FileMedia { place: self.place.clone() };
        Arc::new(move || Rc::new(media.clone()))
    }
}

#[async_trait(?Send)]
impl Published for FileAccount {
    fn destination(&self, _: Arc<dyn Ledger>) -> Factory<Rc<dyn Destination>> {
        let place = self.place.clone();
        let writer: Arc<dyn Writer> = if place.is_jsonl() {
            Arc::new(JsonlWriter::new(place))
        } else {
            Arc::new(FolderWriter::new(place))
        };
        Arc::new(move || Rc::new(FileDestination::new(writer.clone())))
    }
}
