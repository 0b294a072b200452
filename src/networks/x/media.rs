//! Fetches the media of posts on X.

use async_trait::async_trait;
use mynah_domain::{
    Media, MediaKind,
    ports::{FetchError, FetchedMedium, MediaFetcher, MediaLimits},
};
use url::Url;

use crate::networks::download::{DownloadSettings, Downloader};

/// X's host of pictures, and the names of sizes there, largest first. Without a name it serves a small form.
const PICTURES: &str = "pbs.twimg.com";
const SIZES: [&str; 3] = ["orig", "4096x4096", "large"];

/// Fetches the media of posts on X.
pub struct XMediaFetcher {
    downloader: Downloader,
}

impl XMediaFetcher {
    /// A fetcher with this thread's client.
    pub fn new(settings: DownloadSettings) -> Self {
        Self { downloader: Downloader::new(settings) }
    }
}

#[async_trait(?Send)]
impl MediaFetcher for XMediaFetcher {
    async fn fetch(&self, medium: &Media, limits: &MediaLimits) -> Result<FetchedMedium, FetchError> {
        let missing = |why: String| Err(FetchError::Missing(why));
        let Some(address) = medium.url.as_deref() else {
            return missing("X gives no address for it".into());
        };
        let address = self.downloader.allowed(address)?;
        match &medium.kind {
            MediaKind::Photo => self.downloader.picture(forms(&address), limits).await,
            MediaKind::Video | MediaKind::Animation => self.downloader.video(&address, limits).await,
            MediaKind::Other(other) => missing(format!("unknown kind of media: {other:?}")),
        }
    }
}

/// The addresses to fetch a picture from, best first: on X's host starting with the largest form, elsewhere as given.
fn forms(address: &Url) -> Vec<Url> {
    let is_xs = address.host_str() == Some(PICTURES) && address.path().starts_with("/media/");
    let sizes = if is_xs { &SIZES[..] } else { &[] };
    let mut forms: Vec<Url> = sizes.iter().map(|size| in_size(address, size)).collect();
    if !forms.contains(address) {
        forms.push(address.clone());
    }
    forms
}

/// The address of a picture on X in one of its sizes. An older form has the size after the name, as `:large`.
fn in_size(address: &Url, size: &str) -> Url {
    let mut form = address.clone();
    if let Some((path, _)) = address.path().split_once(':') {
        form.set_path(path);
    }
    let others = address.query_pairs().filter(|(name, _)| name != "name");
    form.query_pairs_mut().clear().extend_pairs(others).append_pair("name", size);
    form
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_fetched_in_their_largest_form_if_the_host_has_several() {
        let forms = |address: &str| -> Vec<String> {
            forms(&address.parse().unwrap()).iter().map(Url::to_string).collect()
        };
        for (address, largest, last) in [
            (
                "https://pbs.twimg.com/media/A.jpg",
                "https://pbs.twimg.com/media/A.jpg?name=orig",
                "https://pbs.twimg.com/media/A.jpg",
            ),
            (
                "https://pbs.twimg.com/media/A?format=jpg&name=small",
                "https://pbs.twimg.com/media/A?format=jpg&name=orig",
                "https://pbs.twimg.com/media/A?format=jpg&name=small",
            ),
            (
                "https://pbs.twimg.com/media/A.png:large",
                "https://pbs.twimg.com/media/A.png?name=orig",
                "https://pbs.twimg.com/media/A.png:large",
            ),
        ] {
            let forms = forms(address);
            assert_eq!((forms.len(), &*forms[0], &*forms[3]), (4, largest, last));
            assert!(forms[1].ends_with("name=4096x4096") && forms[2].ends_with("name=large"), "{forms:?}");
        }
        for address in [
            "https://pbs.twimg.com/profile_images/1/a.jpg",
            "https://video.twimg.com/media/a.mp4",
            "https://example.com/media/a.jpg?name=small",
            "http://127.0.0.1:8080/media/a.png",
        ] {
            assert_eq!(forms(address), [address]);
        }
        assert_eq!(forms("https://pbs.twimg.com/media/A.jpg?name=orig").len(), 3, "no form is fetched twice");
    }
}
