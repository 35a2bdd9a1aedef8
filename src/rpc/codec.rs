//! Decoding that blames the right side and cannot be made to allocate far beyond the bytes received.

use crate::rpc::convert::{InvalidRequest, MAX_ALLOWED_LANGUAGES, MAX_BATCH_ITEMS};
use crate::rpc::status;
use bytes::Buf;
use prost::{Message, Name};
use std::marker::PhantomData;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder};
use tonic_prost::ProstEncoder;

/// The protobuf codec of every generated client and server.
#[derive(Debug)]
pub struct CheckedCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for CheckedCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for CheckedCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Name + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = CheckedDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> Self::Decoder {
        CheckedDecoder(PhantomData)
    }
}

#[derive(Debug)]
pub struct CheckedDecoder<U>(PhantomData<U>);

impl<U: Message + Name + Default> Decoder for CheckedDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        // The lint tests hold every request to this suffix; replies are decoded by our own clients.
        if !U::NAME.ends_with("Request") {
            let decoded = U::decode(buf).map_err(|e| Status::internal(e.to_string()))?;
            return Ok(Some(decoded));
        }
        check_counts(U::NAME, buf.chunk()).map_err(|error| status::invalid(&error))?;
        U::decode(buf).map(Some).map_err(|e| {
            status::invalid(&InvalidRequest::Malformed { message: U::NAME, detail: e.to_string() })
        })
    }
}

/// Repeated fields whose decoded form is much larger than an empty item's two bytes on the wire.
struct Bound {
    message: &'static str,
    /// Field numbers from the message down to the repeated field.
    path: &'static [u32],
    field: &'static str,
    max: usize,
}

const BOUNDS: [Bound; 5] = [
    Bound { message: "BatchClassifyArticlesRequest", path: &[1], field: "articles", max: MAX_BATCH_ITEMS },
    Bound {
        message: "BatchClassifyArticlesRequest",
        path: &[3, 7],
        field: "options.allowed_languages",
        max: MAX_ALLOWED_LANGUAGES,
    },
    Bound {
        message: "ClassifyArticleRequest",
        path: &[3, 7],
        field: "options.allowed_languages",
        max: MAX_ALLOWED_LANGUAGES,
    },
    Bound {
        message: "StreamClassifyArticlesRequest",
        path: &[4, 7],
        field: "options.allowed_languages",
        max: MAX_ALLOWED_LANGUAGES,
    },
    Bound {
        message: "DetectLanguageRequest",
        path: &[4],
        field: "allowed_languages",
        max: MAX_ALLOWED_LANGUAGES,
    },
];

fn check_counts(message: &str, encoded: &[u8]) -> Result<(), InvalidRequest> {
    for bound in BOUNDS.iter().filter(|b| b.message == message) {
        let count = count(encoded, bound.path);
        if count > bound.max {
            let (field, max) = (bound.field, bound.max);
            return Err(if field == "articles" {
                InvalidRequest::BatchTooLarge { items: count, max }
            } else {
                InvalidRequest::TooMany { field, count, max }
            });
        }
    }
    Ok(())
}

/// How often the field at `path` occurs. Stops at the first malformed byte: decoding reports that.
fn count(mut encoded: &[u8], path: &[u32]) -> usize {
    let Some((&wanted, rest)) = path.split_first() else { return 0 };
    let mut total = 0;
    while let Some((key, after)) = varint(encoded) {
        let (field, wire) = (key >> 3, key & 7);
        let Some((payload, next)) = split_payload(wire, after) else { break };
        if field == u64::from(wanted) && wire == 2 {
            total += if rest.is_empty() { 1 } else { count(payload, rest) };
        }
        encoded = next;
    }
    total
}

fn split_payload(wire: u64, after: &[u8]) -> Option<(&[u8], &[u8])> {
    match wire {
        0 => varint(after).map(|(_, next)| (&after[..0], next)),
        1 => after.split_at_checked(8),
        2 => {
            let (len, body) = varint(after)?;
            body.split_at_checked(usize::try_from(len).ok()?)
        }
        // Group markers carry nothing themselves; what is inside is walked as if it stood outside.
        3 | 4 => Some((&after[..0], after)),
        5 => after.split_at_checked(4),
        _ => None,
    }
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (i, &byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[i + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::pb;
    use proptest::prelude::*;

    fn options(languages: usize) -> Option<pb::ClassifyOptions> {
        let allowed_languages = vec![String::new(); languages];
        Some(pb::ClassifyOptions { allowed_languages, ..Default::default() })
    }

    #[test]
    fn counts_repeated_fields_at_any_depth() {
        let batch = pb::BatchClassifyArticlesRequest {
            articles: vec![pb::Article::default(); 7],
            options: options(3),
            ..Default::default()
        };
        let encoded = batch.encode_to_vec();
        assert_eq!(count(&encoded, &[1]), 7);
        assert_eq!(count(&encoded, &[3, 7]), 3);
        assert_eq!(count(&encoded, &[2]), 0);
    }

    #[test]
    fn a_message_given_in_pieces_is_counted_whole() {
        let piece = pb::ClassifyArticleRequest { options: options(600), ..Default::default() };
        let mut encoded = piece.encode_to_vec();
        encoded.extend(piece.encode_to_vec());
        let error = check_counts("ClassifyArticleRequest", &encoded).unwrap_err();
        assert_eq!(
            error,
            InvalidRequest::TooMany { field: "options.allowed_languages", count: 1200, max: 1000 }
        );
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_counted(bytes: Vec<u8>) {
            for bound in &BOUNDS {
                prop_assert!(count(&bytes, bound.path) <= bytes.len());
            }
        }
    }
}
