//! Sorts more entries than fit into memory: pieces of bounded size are sorted and written to files, which are then merged.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::{self, OpenOptions},
    io::{self, BufReader, BufWriter, Read, Seek as _, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// Size of a piece that is sorted in memory, in bytes. A million accounts are about 40 pieces, each of which is an open file at the end.
pub(super) const PIECE_BYTES: usize = 16 * 1024 * 1024;

/// A key, and the entry that is sorted by it.
type Entry = (Vec<u8>, Vec<u8>);

pub(super) struct Sorted {
    folder: PathBuf,
    piece_bytes: usize,
    held: Vec<Entry>,
    held_bytes: usize,
    pieces: Vec<fs::File>,
}

impl Sorted {
    /// Pieces are files in this folder.
    pub(super) fn new(folder: &Path, piece_bytes: usize) -> Self {
        Self { folder: folder.to_owned(), piece_bytes, held: Vec::new(), held_bytes: 0, pieces: Vec::new() }
    }

    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        self.held_bytes += key.len() + value.len();
        self.held.push((key.to_owned(), value.to_owned()));
        if self.held_bytes >= self.piece_bytes { self.put_away() } else { Ok(()) }
    }

    fn put_away(&mut self) -> io::Result<()> {
        self.held.sort_unstable();
        let mut piece = BufWriter::new(self.nameless()?);
        for (key, value) in self.held.drain(..) {
            for part in [key, value] {
                piece.write_all(&u32::try_from(part.len()).map_err(io::Error::other)?.to_le_bytes())?;
                piece.write_all(&part)?;
            }
        }
        self.held_bytes = 0;
        let mut piece = piece.into_inner().map_err(io::IntoInnerError::into_error)?;
        piece.rewind()?;
        self.pieces.push(piece);
        Ok(())
    }

    /// A file without a name, so that only this process can read it and it disappears when the process ends, however that happens. It may contain hashes.
    fn nameless(&self) -> io::Result<fs::File> {
        let path = self.folder.join(format!(".doorward-export-{}-{}", std::process::id(), self.pieces.len()));
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        fs::remove_file(path)?;
        Ok(file)
    }

    /// Calls the function with every entry, in the order of the keys.
    pub(super) fn into_order(mut self, mut show: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        self.held.sort_unstable();
        let mut held = self.held.into_iter();
        let mut pieces: Vec<_> = self.pieces.into_iter().map(BufReader::new).collect();
        let last = pieces.len();
        let mut next = |from: usize| if from == last { Ok(held.next()) } else { read(&mut pieces[from]) };
        let mut first = BinaryHeap::new();
        for from in 0..=last {
            first.extend(next(from)?.map(|entry| Reverse((entry, from))));
        }
        while let Some(Reverse(((_, value), from))) = first.pop() {
            show(&value)?;
            first.extend(next(from)?.map(|entry| Reverse((entry, from))));
        }
        Ok(())
    }
}

fn read(piece: &mut impl Read) -> io::Result<Option<Entry>> {
    let mut length = [0; 4];
    match piece.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let mut part = |length: [u8; 4]| {
        let mut part = vec![0; usize::try_from(u32::from_le_bytes(length)).map_err(io::Error::other)?];
        piece.read_exact(&mut part).map(|()| part)
    };
    let key = part(length)?;
    let mut length = [0; 4];
    piece.read_exact(&mut length)?;
    let mut value = vec![0; usize::try_from(u32::from_le_bytes(length)).map_err(io::Error::other)?];
    piece.read_exact(&mut value)?;
    Ok(Some((key, value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_in_the_order_of_their_keys_whatever_the_size_of_a_piece_and_leave_no_file() {
        let folder = std::env::temp_dir().join(format!("doorward-sorted-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        for piece_bytes in [1, 64, 1000, PIECE_BYTES] {
            for count in [0_u32, 1, 2, 500] {
                let mut sorted = Sorted::new(&folder, piece_bytes);
                for number in 0..count {
                    // Every number once, in a scattered order; 7 and 500 have no common divisor.
                    let number = number * 7 % count.max(1);
                    sorted.add(format!("{number:04}").as_bytes(), format!("value of {number}").as_bytes()).unwrap();
                    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
                }
                let mut seen = Vec::new();
                let see = |value: &[u8]| {
                    seen.push(String::from_utf8(value.to_owned()).unwrap());
                    Ok(())
                };
                sorted.into_order(see).unwrap();
                assert_eq!(seen, (0..count).map(|number| format!("value of {number}")).collect::<Vec<_>>(), "{piece_bytes} {count}");
            }
        }
        fs::remove_dir(folder).unwrap();
    }
}
