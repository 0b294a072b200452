//! Makes pictures fit. Bluesky accepts a picture of up to 1 MB, and other networks have larger ones, so these are scaled
//! down and encoded again. Decoding takes memory and time, and the bytes come from a stranger: both are bounded, and it
//! runs on a thread of its own.

use std::{borrow::Cow, io::Cursor};

use image::{
    DynamicImage, ImageDecoder, ImageReader, ImageResult, Limits,
    codecs::jpeg::JpegEncoder,
    imageops::{self, FilterType},
    metadata::Orientation,
};

/// The largest picture, in bytes. Newer servers accept 2 MB, older ones this much (the lexicon app.bsky.embed.images).
pub(super) const MOST: usize = 1_000_000;

/// The largest picture to decode: 50 megapixels of 4 bytes are more than any network shows.
const LONGEST_SIDE: u32 = 20_000;
const MOST_MEMORY: u64 = 200 * 1024 * 1024;

/// The longer side of a picture that was scaled down, at first. Bluesky's own apps show no more.
const SIDE: u32 = 2_000;

/// JPEG's qualities, tried in this order.
const QUALITIES: [u8; 3] = [88, 78, 65];

/// How often the sides are made shorter by a third before giving up.
const ROUNDS: usize = 6;

/// A picture that Bluesky accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fitted {
    pub(super) mime: &'static str,
    pub(super) bytes: Vec<u8>,
    /// Width and height as people see it; `None` if they cannot be read.
    pub(super) sides: Option<(u32, u32)>,
}

/// The picture, scaled down if it is too large.
///
/// # Errors
/// Says why it cannot be scaled down.
pub(super) fn fit(mime: &'static str, bytes: Vec<u8>) -> Result<Fitted, String> {
    if bytes.len() <= MOST {
        let sides = open(&bytes).ok().map(|opened| opened.sides());
        return Ok(Fitted { mime, bytes, sides });
    }
    let too_large = |why: &str| {
        let size = bytes.len();
        format!(
            "it has {size} bytes, more than the {MOST} that Bluesky accepts, and cannot be scaled down: {why}"
        )
    };
    let picture = open(&bytes).and_then(Opened::decode).map_err(|error| too_large(&error.to_string()))?;
    let picture = on_white(picture);
    let mut side = SIDE;
    for _ in 0..ROUNDS {
        let scaled = if picture.width().max(picture.height()) > side {
            Cow::Owned(picture.resize(side, side, FilterType::Triangle))
        } else {
            Cow::Borrowed(&picture)
        };
        for quality in QUALITIES {
            let mut encoded = Vec::new();
            JpegEncoder::new_with_quality(&mut encoded, quality)
                .encode_image(&*scaled)
                .map_err(|error| too_large(&error.to_string()))?;
            if encoded.len() <= MOST {
                let sides = Some((scaled.width(), scaled.height()));
                return Ok(Fitted { mime: "image/jpeg", bytes: encoded, sides });
            }
        }
        side = side * 2 / 3;
    }
    Err(too_large("it stays too large"))
}

/// A picture that can be decoded.
struct Opened<D> {
    decoder: D,
    orientation: Orientation,
}

impl<D: ImageDecoder> Opened<D> {
    /// Width and height as people see it.
    fn sides(&self) -> (u32, u32) {
        let (width, height) = self.decoder.dimensions();
        let is_turned = matches!(
            self.orientation,
            Orientation::Rotate90
                | Orientation::Rotate270
                | Orientation::Rotate90FlipH
                | Orientation::Rotate270FlipH
        );
        if is_turned { (height, width) } else { (width, height) }
    }

    fn decode(self) -> ImageResult<DynamicImage> {
        let mut picture = DynamicImage::from_decoder(self.decoder)?;
        picture.apply_orientation(self.orientation);
        Ok(picture)
    }
}

/// Reads a picture's head.
fn open(bytes: &[u8]) -> ImageResult<Opened<impl ImageDecoder>> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    limits.max_alloc = Some(MOST_MEMORY);
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok(Opened { decoder, orientation })
}

/// JPEG has no transparency; what is transparent becomes white, as on most pages.
fn on_white(picture: DynamicImage) -> DynamicImage {
    if !picture.color().has_alpha() {
        return DynamicImage::ImageRgb8(picture.into_rgb8());
    }
    let white = image::Rgba([255, 255, 255, 255]);
    let mut ground = image::RgbaImage::from_pixel(picture.width(), picture.height(), white);
    imageops::overlay(&mut ground, &picture.into_rgba8(), 0, 0);
    DynamicImage::ImageRgb8(DynamicImage::ImageRgba8(ground).into_rgb8())
}

#[cfg(test)]
mod tests {
    use image::{ImageFormat, Rgba, RgbaImage};

    use super::*;

    /// A picture of noise, which compresses badly.
    fn noise(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let mut random = fastrand::Rng::with_seed(7);
        let picture = RgbaImage::from_fn(width, height, |_, _| {
            Rgba([random.u8(..), random.u8(..), random.u8(..), 255])
        });
        let picture = DynamicImage::ImageRgba8(picture);
        let picture =
            if format == ImageFormat::Jpeg { DynamicImage::ImageRgb8(picture.into_rgb8()) } else { picture };
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_small_picture_stays_as_it_is_and_has_its_sides() {
        for (format, mime) in [
            (ImageFormat::Png, "image/png"),
            (ImageFormat::Jpeg, "image/jpeg"),
            (ImageFormat::Gif, "image/gif"),
            (ImageFormat::WebP, "image/webp"),
        ] {
            let bytes = noise(40, 30, format);
            assert_eq!(fit(mime, bytes.clone()), Ok(Fitted { mime, bytes, sides: Some((40, 30)) }));
        }
    }

    #[test]
    fn a_large_picture_is_scaled_down_and_keeps_its_aspect_ratio() {
        let bytes = noise(900, 600, ImageFormat::Png);
        assert!(bytes.len() > MOST);
        let fitted = fit("image/png", bytes).unwrap();
        assert!(fitted.bytes.len() <= MOST && fitted.mime == "image/jpeg", "{}", fitted.bytes.len());
        let (width, height) = fitted.sides.unwrap();
        assert!((f64::from(width) / f64::from(height) - 1.5).abs() < 0.01, "{width} {height}");
        assert_eq!(fit("image/jpeg", fitted.bytes.clone()).unwrap().sides, fitted.sides);
    }

    #[test]
    fn a_picture_that_cannot_be_read_is_refused_only_if_it_is_too_large() {
        let broken = [b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR".to_vec(), vec![0; MOST]].concat();
        let why = fit("image/png", broken.clone()).unwrap_err();
        assert!(why.contains("1000000"), "{why}");
        let small = broken[..16].to_vec();
        assert_eq!(
            fit("image/png", small.clone()),
            Ok(Fitted { mime: "image/png", bytes: small, sides: None })
        );
    }

    #[test]
    fn a_picture_that_claims_to_be_huge_takes_no_memory() {
        // A PNG header for 50,000 × 50,000 pixels.
        let mut header = b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\0\xC3\x50\0\0\xC3\x50\x08\x06\0\0\0".to_vec();
        header.resize(2 * MOST, 0);
        assert!(fit("image/png", header).is_err());
    }

    #[test]
    fn what_is_transparent_becomes_white() {
        let clear = DynamicImage::ImageRgba8(RgbaImage::from_pixel(2, 2, Rgba([9, 9, 9, 0])));
        assert_eq!(on_white(clear).into_rgb8().get_pixel(0, 0).0, [255, 255, 255]);
    }
}
