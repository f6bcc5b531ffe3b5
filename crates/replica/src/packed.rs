//! Bodies as they are stored: one Zstandard frame each.
//!
//! A body is some 600 bytes of JSON, most of it names and shapes that all bodies of its kind share. Against a dictionary
//! of sample bodies it is a third of that, which is what a snapshot weighs, what is encrypted, and what is written.
//!
//! INVARIANT: the dictionary is part of the format. A changed one would make every stored body unreadable, so a new one
//! comes with a migration.

use std::{cell::RefCell, io, sync::LazyLock};

use countersign_domain::canonical;
use zstd::{
    bulk::{Compressor, Decompressor},
    dict::{DecoderDictionary, EncoderDictionary},
    zstd_safe,
};

use crate::StorageError;

/// Sample bodies of every kind, one a line, the most frequent last.
const SAMPLES: &[u8] = include_bytes!("../schema/0001_bodies.dict");
const LEVEL: i32 = 1;

static ENCODER: LazyLock<EncoderDictionary<'static>> =
    LazyLock::new(|| EncoderDictionary::copy(SAMPLES, LEVEL));
static DECODER: LazyLock<DecoderDictionary<'static>> = LazyLock::new(|| DecoderDictionary::copy(SAMPLES));

thread_local! {
    static PACKING: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static UNPACKING: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// The longest body that is kept.
pub(crate) const MAX_BODY: usize = canonical::MAX_BYTES;

/// The form in which a body is stored.
pub(crate) fn pack(body: &[u8]) -> Result<Vec<u8>, StorageError> {
    PACKING.with_borrow_mut(|packing| {
        let compressor = match packing {
            Some(compressor) => compressor,
            none => none.insert(Compressor::with_prepared_dictionary(&ENCODER)?),
        };
        Ok(compressor.compress(body)?)
    })
}

/// The body that was stored. What is read may come from a hostile file: a frame that claims more than a body may have is
/// not opened.
pub(crate) fn unpack(packed: &[u8]) -> Result<Vec<u8>, StorageError> {
    let length = match zstd_safe::get_frame_content_size(packed) {
        Ok(Some(length)) => usize::try_from(length).unwrap_or(usize::MAX),
        Ok(None) | Err(_) => return Err(StorageError::damaged("a body is not packed")),
    };
    if length > MAX_BODY {
        return Err(StorageError::damaged("a body is longer than any may be"));
    }
    UNPACKING
        .with_borrow_mut(|unpacking| -> io::Result<_> {
            let decompressor = match unpacking {
                Some(decompressor) => decompressor,
                none => none.insert(Decompressor::with_prepared_dictionary(&DECODER)?),
            };
            decompressor.decompress(packed, length)
        })
        .map_err(StorageError::damaged)
}

#[cfg(test)]
mod tests {
    use countersign_domain::Digest;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_dictionary_is_this_and_stays_this() {
        assert_eq!(
            Digest::of(SAMPLES).to_string(),
            "cf399ce2673db3292549eb609ecbf7ff238a439e566c15756d1b089f13385f0b",
            "what is stored was packed with the old one: add a new dictionary with a migration"
        );
    }

    #[test]
    fn every_sample_is_canonical_and_packs_to_almost_nothing() {
        for sample in SAMPLES
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            canonical::check(sample).unwrap();
            assert!(pack(sample).unwrap().len() < 40, "it is in the dictionary");
        }
    }

    #[test]
    fn a_frame_that_claims_too_much_is_not_opened() {
        let bomb = zstd::bulk::compress(&vec![0; MAX_BODY + 1], LEVEL).unwrap();
        assert!(bomb.len() < 100, "it is small");
        assert!(unpack(&bomb).is_err());
        let streamed = zstd::stream::encode_all(&[0; 100][..], LEVEL).unwrap();
        assert!(unpack(&streamed).is_err(), "one that does not say its length");
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_back(body in proptest::collection::vec(any::<u8>(), 0..3_000)) {
            prop_assert_eq!(unpack(&pack(&body).unwrap()).unwrap(), body);
        }

        #[test]
        fn anything_else_is_an_error_or_a_body(packed in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(body) = unpack(&packed) {
                prop_assert!(body.len() <= MAX_BODY);
            }
        }
    }
}
