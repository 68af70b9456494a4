//! The file of an export. It contains personal data, so only its owner may read it. It gets its name only when it is complete.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::form::Frame;
use crate::Failure;

/// The file, and further files if the other service accepts only small ones.
pub(super) struct Target {
    path: PathBuf,
    part: PathBuf,
    file: Option<BufWriter<File>>,
    frame: Frame,
    entries: u64,
    bytes: u64,
    done: Vec<PathBuf>,
}

impl Target {
    /// Creates the file under a temporary name. It overwrites neither an existing file nor the temporary file of another export.
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        let refused = |what: &str| Failure::Refused(format!("{}: {what}", path.display()));
        let Some(name) = path.file_name() else { return Err(refused("is no name of a file")) };
        if path.symlink_metadata().is_ok() {
            return Err(refused("is there already, and is not written over"));
        }
        let mut part = name.to_owned();
        part.push(".part");
        let part = path.with_file_name(part);
        let file = created(&part).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                refused(&format!("{} is there: another export is running, or was cut off; delete it then", part.display()))
            }
            _ => refused(&error.to_string()),
        })?;
        Ok(Self { path: path.to_owned(), part, file: Some(file), frame: Frame::default(), entries: 0, bytes: 0, done: Vec::new() })
    }

    /// The folder that the file is in.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    pub(super) fn begin(&mut self, frame: Frame) {
        self.frame = frame;
    }

    pub(super) fn add(&mut self, entry: &[u8]) -> io::Result<()> {
        let length = u64::try_from(entry.len()).unwrap_or(u64::MAX);
        if self.entries > 0 && self.frame.most_bytes.is_some_and(|most| self.bytes + length > most) {
            self.complete()?;
            self.file = Some(created(&self.part)?);
            (self.entries, self.bytes) = (0, 0);
        }
        let before = if self.entries == 0 { self.frame.head } else { self.frame.between };
        self.write(before.as_bytes())?;
        self.write(entry)?;
        self.entries += 1;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(bytes))
    }

    /// Gives a complete file its name. This creates a hard link and then removes the temporary name, because `rename` would overwrite an existing file.
    fn complete(&mut self) -> io::Result<()> {
        let before = if self.entries == 0 { self.frame.head } else { "" };
        self.write(before.as_bytes())?;
        self.write(self.frame.tail.as_bytes())?;
        if let Some(file) = self.file.take() {
            file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        }
        let path = numbered(&self.path, self.done.len());
        fs::hard_link(&self.part, &path)?;
        fs::remove_file(&self.part)?;
        self.done.push(path);
        Ok(())
    }

    /// The names of the complete files.
    pub(super) fn finish(mut self) -> io::Result<Vec<PathBuf>> {
        if let Err(error) = self.complete() {
            self.discard();
            return Err(error);
        }
        Ok(self.done)
    }

    /// Removes what was written so far.
    pub(super) fn discard(self) {
        drop(self.file);
        for path in self.done.iter().chain([&self.part]) {
            let _ = fs::remove_file(path);
        }
    }
}

fn created(path: &Path) -> io::Result<BufWriter<File>> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(BufWriter::new)
}

/// The name of a further file: `users.json`, `users-2.json` and so on.
fn numbered(path: &Path, number: usize) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{}", number + 1));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_size_are_whole_lists_each_and_are_removed_together() {
        let folder = std::env::temp_dir().join(format!("doorward-target-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let path = folder.join("users.json");
        let frame = Frame { head: "[\n", between: ",\n", tail: "\n]\n", most_bytes: Some(20) };
        let written = || {
            let mut target = Target::create(&path).unwrap();
            target.begin(frame);
            for entry in ["\"first\"", "\"second\"", "\"third\""] {
                target.add(entry.as_bytes()).unwrap();
            }
            target
        };
        let names = ["users.json", "users-2.json"].map(|name| folder.join(name));
        assert_eq!(written().finish().unwrap(), names);
        assert_eq!(names.each_ref().map(|name| fs::read_to_string(name).unwrap()), ["[\n\"first\",\n\"second\"\n]\n", "[\n\"third\"\n]\n"]);
        // The first name is free and the second is not. None of the new files remains, and the old one does.
        fs::remove_file(&path).unwrap();
        assert!(written().finish().is_err());
        assert_eq!(fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>(), [names[1].clone()]);
        // Nothing to write is an empty list.
        fs::remove_file(&names[1]).unwrap();
        let mut target = Target::create(&path).unwrap();
        target.begin(frame);
        target.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "[\n\n]\n");
        fs::remove_dir_all(folder).unwrap();
    }
}
