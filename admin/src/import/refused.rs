//! A new file with the refused entries, to be edited and imported again.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::records::Frame;
use crate::Failure;

/// The file. It contains hashes, so only its owner may read it.
pub(super) struct RefusedFile {
    path: PathBuf,
    file: BufWriter<File>,
    frame: Frame,
    entries: usize,
}

impl RefusedFile {
    /// Creates the file, but never overwrites one.
    pub(super) fn create(path: &Path, frame: Frame) -> Result<Self, Failure> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Failure::Refused(format!("{} is there already, and is not written over", path.display())),
            _ => Failure::Refused(format!("{}: {error}", path.display())),
        })?;
        Ok(Self { path: path.to_owned(), file: BufWriter::new(file), frame, entries: 0 })
    }

    /// Adds the text of an entry, if it could be read.
    pub(super) fn add(&mut self, raw: &[u8]) -> io::Result<()> {
        if raw.is_empty() {
            return Ok(());
        }
        match (&self.frame, self.entries) {
            (Frame::Lines(head), 0) => self.file.write_all(head)?,
            (Frame::Lines(_), _) => {}
            (Frame::List, 0) => self.file.write_all(b"[\n")?,
            (Frame::List, _) => self.file.write_all(b",\n")?,
        }
        self.entries += 1;
        self.file.write_all(raw)?;
        // The last line of a file may lack its end.
        if matches!(self.frame, Frame::Lines(_)) && !raw.ends_with(b"\n") { self.file.write_all(b"\n") } else { Ok(()) }
    }

    /// The path of the file, if it has entries. An empty file is removed.
    pub(super) fn finish(mut self) -> io::Result<Option<PathBuf>> {
        if self.entries == 0 {
            fs::remove_file(&self.path)?;
            return Ok(None);
        }
        if self.frame == Frame::List {
            self.file.write_all(b"\n]\n")?;
        }
        self.file.flush()?;
        Ok(Some(self.path))
    }
}
