//! Compressed messages. A gzip stream is unpacked as its bytes come in, so that one that unpacks to more than a message may
//! have is refused by its first kilobytes. A zstd frame may look back as far as it likes, so one would have to hold all it
//! has said as well as what came of it: it is unpacked in one go, in a millisecond or a few, once it is there.

use crate::rpc::status;
use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use http::{HeaderMap, header::HeaderName};
use std::io::{self, Write};
use tonic::Status;

/// gRPC's framing: a flag, a length of four bytes in network order, the message.
pub(crate) const PREFIX: usize = 5;

const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// How a call's messages are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Gzip,
    Zstd,
}

impl Encoding {
    /// Takes the name of an encoding that is known out of the headers: who reads the body after us finds no packed
    /// messages.
    pub(crate) fn take(headers: &mut HeaderMap) -> Option<Self> {
        let encoding = match headers.get(GRPC_ENCODING)?.as_bytes() {
            b"gzip" => Self::Gzip,
            b"zstd" => Self::Zstd,
            _ => return None,
        };
        headers.remove(GRPC_ENCODING);
        Some(encoding)
    }
}

/// One message that is being unpacked.
#[derive(Debug)]
pub struct Unpacking {
    kind: Kind,
    limit: usize,
}

#[derive(Debug)]
enum Kind {
    Gzip(Box<MultiGzDecoder<Bounded>>),
    /// Still packed.
    Zstd(Bounded),
}

impl Unpacking {
    /// Refuses what unpacks to more than `limit` bytes.
    pub fn new(encoding: Encoding, limit: usize) -> Self {
        let bytes = Bounded { bytes: Vec::new(), limit };
        let kind = match encoding {
            Encoding::Gzip => Kind::Gzip(Box::new(MultiGzDecoder::new(bytes))),
            Encoding::Zstd => Kind::Zstd(bytes),
        };
        Self { kind, limit }
    }

    /// Bytes held so far.
    pub fn held(&self) -> usize {
        match &self.kind {
            Kind::Gzip(decoder) => decoder.get_ref().bytes.len(),
            Kind::Zstd(packed) => packed.bytes.len(),
        }
    }

    /// Whether [`Unpacking::finish`] has all the work to do.
    pub fn waits_for_its_end(&self) -> bool {
        matches!(self.kind, Kind::Zstd(_))
    }

    /// The next bytes of the message.
    pub fn push(&mut self, packed: &[u8]) -> Result<(), Status> {
        let pushed = match &mut self.kind {
            Kind::Gzip(decoder) => decoder.write_all(packed),
            Kind::Zstd(bytes) => bytes.write_all(packed),
        };
        pushed.map_err(|error| refusal(&error, self.limit))
    }

    /// The whole message.
    pub fn finish(self) -> Result<Bytes, Status> {
        let message = match self.kind {
            Kind::Gzip(mut decoder) => {
                decoder.try_finish().map(|()| std::mem::take(&mut decoder.get_mut().bytes))
            }
            Kind::Zstd(packed) => unpack_zstd(&packed.bytes, self.limit),
        };
        message.map(Bytes::from).map_err(|error| refusal(&error, self.limit))
    }
}

fn unpack_zstd(packed: &[u8], limit: usize) -> io::Result<Vec<u8>> {
    let mut message = zstd::bulk::decompress(packed, limit).map_err(|error| {
        // zstd's errors are told apart by their names alone.
        match error.to_string().contains("buffer is too small") {
            true => io::ErrorKind::FileTooLarge.into(),
            false => error,
        }
    })?;
    message.shrink_to_fit();
    Ok(message)
}

fn refusal(error: &io::Error, limit: usize) -> Status {
    match error.kind() {
        io::ErrorKind::FileTooLarge => status::message_too_large(limit),
        _ => status::malformed(&format!("error decompressing: {error}")),
    }
}

/// Bytes up to a limit.
#[derive(Debug)]
struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
}

impl Write for Bounded {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + more.len() > self.limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use tonic::Code;

    const BOTH: [Encoding; 2] = [Encoding::Gzip, Encoding::Zstd];

    fn packed(encoding: Encoding, bytes: &[u8]) -> Vec<u8> {
        match encoding {
            Encoding::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Encoding::Zstd => zstd::encode_all(bytes, 1).unwrap(),
        }
    }

    fn unpacked(encoding: Encoding, limit: usize, packed: &[u8], piece: usize) -> Result<Bytes, Status> {
        let mut unpacking = Unpacking::new(encoding, limit);
        packed.chunks(piece).try_for_each(|piece| unpacking.push(piece))?;
        unpacking.finish()
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_back(bytes: Vec<u8>, piece in 1_usize..300) {
            for encoding in BOTH {
                let packed = packed(encoding, &bytes);
                let limit = bytes.len().max(packed.len());
                prop_assert_eq!(&unpacked(encoding, limit, &packed, piece).unwrap(), &bytes);
                if bytes.len() > packed.len() {
                    let code = unpacked(encoding, bytes.len() - 1, &packed, piece).map_err(|s| s.code());
                    prop_assert_eq!(code, Err(Code::ResourceExhausted));
                }
            }
        }

        #[test]
        fn any_bytes_can_be_pushed(bytes: Vec<u8>, cut: prop::sample::Index, flip: prop::sample::Index) {
            for encoding in BOTH {
                let _ = unpacked(encoding, 1_000, &bytes, 7);
                let mut spoiled = packed(encoding, &bytes);
                let at = flip.index(spoiled.len());
                spoiled[at] ^= 0x10;
                let _ = unpacked(encoding, 1_000, &spoiled, 7);
                let whole = packed(encoding, &bytes);
                let cut = 1 + cut.index(whole.len() - 1);
                let code = unpacked(encoding, 1_000, &whole[..cut], 7).map_err(|s| s.code());
                prop_assert_eq!(code, Err(Code::InvalidArgument));
            }
        }
    }

    #[test]
    fn a_bomb_is_refused_and_one_of_gzip_by_its_first_kilobytes() {
        for encoding in BOTH {
            let bomb = packed(encoding, &vec![0; 16 << 20]);
            let mut unpacking = Unpacking::new(encoding, 1 << 20);
            let pushed = bomb.chunks(64).try_for_each(|piece| unpacking.push(piece));
            assert!(unpacking.held() <= 1 << 20);
            let code = match encoding {
                Encoding::Gzip => pushed.map_err(|s| s.code()),
                Encoding::Zstd => unpacking.finish().map(drop).map_err(|s| s.code()),
            };
            assert_eq!(code, Err(Code::ResourceExhausted), "{encoding:?}");
        }
    }
}
