//! A snapshot is unpacked as it comes: what was compressed is never whole in memory.

use std::{
    fs::OpenOptions,
    io::{self, Cursor, Read},
    path::Path,
};

use tokio::sync::mpsc;

/// Most bytes of an unpacked snapshot: a packed one of any size must not fill the disk.
const MAX_SNAPSHOT: u64 = 8 << 30;

/// Unpacks a zstd stream into a file for its owner's eyes only. Blocks.
pub(crate) fn unpack(pieces: mpsc::Receiver<Vec<u8>>, path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new();
    file.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    let packed = Pieces {
        pieces,
        piece: Cursor::default(),
    };
    let mut decoder = zstd::Decoder::new(packed)?.take(MAX_SNAPSHOT);
    io::copy(&mut decoder, &mut file.open(path)?)?;
    Ok(())
}

/// The pieces, read as one.
struct Pieces {
    pieces: mpsc::Receiver<Vec<u8>>,
    piece: Cursor<Vec<u8>>,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.piece.read(into)?;
            if read > 0 || into.is_empty() {
                return Ok(read);
            }
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = Cursor::new(piece),
                None => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_the_same_however_it_is_cut_and_never_half_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plain");
        let plain: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        let packed = zstd::encode_all(&plain[..], 3).unwrap();
        let send = |packed: &[u8], size| {
            let (sender, receiver) = mpsc::channel(packed.len());
            for piece in packed.chunks(size) {
                sender.try_send(piece.to_vec()).unwrap();
            }
            receiver
        };
        for size in [1, 1_000, packed.len()] {
            unpack(send(&packed, size), &path).unwrap();
            assert!(std::fs::read(&path).unwrap() == plain, "in pieces of {size}");
        }
        let half = send(&packed[..packed.len() / 2], 1_000);
        assert!(
            unpack(half, &path).is_err(),
            "a stream that breaks off is no snapshot"
        );
    }
}
