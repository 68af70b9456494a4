//! Reads the file entry by entry, without keeping it in memory. Its first characters determine its format.

use std::{
    cell::RefCell,
    fs::File,
    io::{self, BufRead, BufReader, Chain, Cursor, Read},
    path::Path,
    rc::Rc,
};

use csv::{ByteRecord, ReaderBuilder};
use indicatif::{ProgressBar, ProgressBarIter};
use serde::Deserialize as _;
use serde_json::{Map, Value, value::RawValue};

use super::{container, reasons::Reason, source::Layout};
use crate::Failure;

/// Number of bytes from which the format is determined.
const LOOKED_AT: u64 = 64 * 1024;

/// The optional columns of CSV. An empty field counts as missing.
const MORE_COLUMNS: [&str; 5] = ["is_active", "date_joined", "external_id", "pk", "id"];

/// How a file is to be read.
pub(super) struct Reading<'a> {
    pub(super) layout: Layout,
    /// Whether accounts may have no password, so that a table need not have such a column.
    pub(super) without_password: bool,
    /// Columns of a table by other names: ours and theirs.
    pub(super) columns: &'a [(String, String)],
}

/// An entry of the file.
pub(super) struct Record {
    /// Its line, or in a list which of the entries it is.
    pub(super) number: usize,
    /// As it was.
    pub(super) raw: Vec<u8>,
    /// Its fields by name.
    pub(super) fields: Result<Map<String, Value>, Reason>,
}

/// The text before and after the entries in a file of refused entries, so that it can be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A line each, after these.
    Lines(Vec<u8>),
    /// A list in JSON.
    List,
}

type Source = Chain<Cursor<Vec<u8>>, ProgressBarIter<File>>;

/// The entries of a file.
pub(super) struct Records {
    format: Format,
}

enum Format {
    Lines { source: BufReader<Source>, number: usize },
    Values(Values),
    Table(Box<Table>),
}

impl Records {
    /// Opens a file and determines its format. Reading it moves the progress bar.
    pub(super) fn open(path: &Path, bar: &ProgressBar, reading: &Reading<'_>) -> Result<Self, Failure> {
        let refused = |what: &str| Failure::Refused(format!("{}: {what}", path.display()));
        let file = File::open(path).map_err(|error| refused(&error.to_string()))?;
        bar.set_length(file.metadata()?.len());
        let mut file = bar.wrap_read(file);
        let mut start = Vec::new();
        (&mut file).take(LOOKED_AT).read_to_end(&mut start).map_err(|error| refused(&error.to_string()))?;
        if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
            return Err(refused("is in UTF-16; save it as UTF-8"));
        }
        // Programs on Windows write a byte order mark.
        start.drain(..if start.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 });
        let text = start.trim_ascii_start();
        let first_line = text.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii();
        let (first, only_a_brace, delimiter) = (text.first().copied(), first_line == b"{", delimiter(first_line));
        let source = Cursor::new(start).chain(file);
        if let Some(name) = reading.layout.container.filter(|_| first == Some(b'{')) {
            let mut source = BufReader::new(source);
            if !container::enter(&mut source, name).map_err(|error| refused(&error.to_string()))? {
                return Err(refused(&format!("is no object in JSON with a list of {name}")));
            }
            return Ok(Self { format: Format::Values(Values { source, in_list: true, in_object: true, number: 0, ended: false }) });
        }
        let format = match first {
            Some(b'[') => Format::Values(Values::new(BufReader::new(source), true)?),
            Some(b'{') if only_a_brace => Format::Values(Values::new(BufReader::new(source), false)?),
            Some(b'{') | None => Format::Lines { source: BufReader::new(source), number: 0 },
            Some(_) => Format::Table(Box::new(Table::new(source, delimiter, reading).map_err(|what| refused(&what))?)),
        };
        Ok(Self { format })
    }

    /// The word for an entry in messages: line or entry.
    pub(super) fn entry_word(&self) -> &'static str {
        if let Format::Values(_) = self.format { "entry" } else { "line" }
    }

    /// The frame for refused entries.
    pub(super) fn frame(&self) -> Frame {
        match &self.format {
            Format::Values(values) if values.in_list => Frame::List,
            Format::Lines { .. } | Format::Values(_) => Frame::Lines(Vec::new()),
            Format::Table(table) => Frame::Lines(table.head.clone()),
        }
    }

    /// The next entry.
    pub(super) fn next(&mut self) -> Option<Result<Record, Failure>> {
        let next = match &mut self.format {
            Format::Lines { source, number } => next_line(source, number),
            Format::Values(values) => values.next(),
            Format::Table(table) => table.next(),
        };
        next.map_err(Failure::Io).transpose()
    }
}

/// The fields of an object in JSON.
fn object(json: &[u8]) -> Result<Map<String, Value>, Reason> {
    // serde's message may quote the line, and with it a hash.
    serde_json::from_slice(json).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => Reason::new("it is no object in JSON"),
        _ if std::str::from_utf8(json).is_err() => not_utf8(),
        _ => Reason::new("it is no JSON").about(format!("column {}", error.column())),
    })
}

fn not_utf8() -> Reason {
    Reason::new("it is not in UTF-8; save the file in that encoding")
}

fn next_line(source: &mut impl BufRead, number: &mut usize) -> io::Result<Option<Record>> {
    loop {
        let mut raw = Vec::new();
        if source.read_until(b'\n', &mut raw)? == 0 {
            return Ok(None);
        }
        *number += 1;
        if !raw.trim_ascii().is_empty() {
            let fields = object(raw.trim_ascii_end());
            return Ok(Some(Record { number: *number, raw, fields }));
        }
    }
}

/// JSON objects, in a list or one after the other, with any white space.
struct Values {
    source: BufReader<Source>,
    in_list: bool,
    /// The list is part of an object, whose other members may follow.
    in_object: bool,
    number: usize,
    ended: bool,
}

impl Values {
    fn new(source: BufReader<Source>, in_list: bool) -> io::Result<Self> {
        let mut values = Self { source, in_list, in_object: false, number: 0, ended: false };
        if in_list {
            values.peek(b"")?;
            values.source.consume(1);
        }
        Ok(values)
    }

    /// The next byte that is neither white space nor one of these.
    fn peek(&mut self, skipped: &[u8]) -> io::Result<Option<u8>> {
        loop {
            let buffer = self.source.fill_buf()?;
            let Some(byte) = buffer.first().copied() else { return Ok(None) };
            if !byte.is_ascii_whitespace() && !skipped.contains(&byte) {
                return Ok(Some(byte));
            }
            self.source.consume(1);
        }
    }

    fn next(&mut self) -> io::Result<Option<Record>> {
        if self.ended {
            return Ok(None);
        }
        let wrong = match self.peek(b",")? {
            Some(b'{') => {
                let mut json = serde_json::Deserializer::from_reader(&mut self.source);
                match Box::<RawValue>::deserialize(&mut json) {
                    Ok(raw) => {
                        self.number += 1;
                        let raw = raw.get().as_bytes().to_vec();
                        let fields = object(&raw);
                        return Ok(Some(Record { number: self.number, raw, fields }));
                    }
                    Err(error) if error.is_io() => return Err(error.into()),
                    Err(_) => Some("it is no JSON, and nothing after it was read"),
                }
            }
            Some(b']') if self.in_list => {
                self.source.consume(1);
                if self.in_object {
                    self.ended = true;
                    return Ok(None);
                }
                self.peek(b"")?.map(|_| "it comes after the end of the list, and was not read")
            }
            Some(_) => Some("it is no object in JSON, and nothing after it was read"),
            None => self.in_list.then_some("the file ends before the list does"),
        };
        self.ended = true;
        self.number += 1;
        Ok(wrong.map(|wrong| Record { number: self.number, raw: Vec::new(), fields: Err(Reason::new(wrong)) }))
    }
}

/// CSV (RFC 4180) whose first line names the columns.
struct Table {
    reader: csv::Reader<Tee>,
    kept: Rc<RefCell<Vec<u8>>>,
    /// How much of the file came before what is kept.
    before: u64,
    /// The first line, as it was, and its names.
    head: Vec<u8>,
    columns: Vec<String>,
}

/// The columns of a table in the default format.
const FIRST_COLUMNS: [&str; 3] = ["username", "email", "password"];

/// Renames columns to the names that `import` reads. Another column that already had such a name is ignored.
fn rename(columns: &mut [String], names: &[(String, String)]) -> Result<(), String> {
    for (ours, theirs) in names {
        let theirs = theirs.to_ascii_lowercase();
        let Some(position) = columns.iter().position(|column| *column == theirs) else { return Err(format!("has no column {theirs}")) };
        for (number, column) in columns.iter_mut().enumerate() {
            if column == ours && number != position {
                column.push_str(" (another)");
            }
        }
        columns[position].clone_from(ours);
    }
    Ok(())
}

/// The separator of fields: spreadsheets of some languages write semicolons.
fn delimiter(line: &[u8]) -> u8 {
    let count = |delimiter: u8| line.split(|byte| *byte == delimiter).count();
    [b',', b';', b'\t'].into_iter().rev().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',')
}

impl Table {
    fn new(source: Source, delimiter: u8, reading: &Reading<'_>) -> Result<Self, String> {
        let kept = Rc::new(RefCell::new(Vec::new()));
        let tee = Tee { source, kept: Rc::clone(&kept) };
        let reader = ReaderBuilder::new().delimiter(delimiter).flexible(true).has_headers(false).from_reader(tee);
        let mut table = Self { reader, kept, before: 0, head: Vec::new(), columns: Vec::new() };
        let mut first = ByteRecord::new();
        table.reader.read_byte_record(&mut first).map_err(|error| error.to_string())?;
        table.head = table.raw();
        table.columns = first.iter().map(|name| String::from_utf8_lossy(name).trim().to_ascii_lowercase()).collect();
        rename(&mut table.columns, reading.columns)?;
        let needed = reading.layout.columns;
        let needed = if reading.without_password { &needed[..needed.len() - 1] } else { needed };
        let missing = needed.iter().copied().filter(|name| !table.columns.iter().any(|column| column == name));
        let missing = missing.collect::<Vec<_>>().join(", ");
        if !missing.is_empty() && reading.layout.columns != FIRST_COLUMNS {
            return Err(format!("is neither JSON nor CSV whose first line names the columns {}: there is no {missing}", needed.join(", ")));
        }
        if !missing.is_empty() {
            return Err(format!(
                "is neither JSON nor CSV whose first line names the columns username, email and password (and is_active, date_joined, \
                 external_id, where there are any): there is no {missing}; --columns reads others"
            ));
        }
        let twice = reading
            .layout
            .columns
            .iter()
            .copied()
            .chain(MORE_COLUMNS)
            .find(|name| table.columns.iter().filter(|column| column == name).count() > 1);
        match twice {
            Some(name) => Err(format!("has two columns {name}")),
            None => Ok(table),
        }
    }

    /// The text that was read since the last call, unchanged.
    fn raw(&mut self) -> Vec<u8> {
        let end = self.reader.position().byte();
        let length = usize::try_from(end - self.before).unwrap_or(usize::MAX);
        self.before = end;
        let mut kept = self.kept.borrow_mut();
        let length = length.min(kept.len());
        let mut raw: Vec<u8> = kept.drain(..length).collect();
        // The reader leaves the second half of "\r\n" and empty lines to the next record.
        raw.drain(..raw.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count());
        if raw.ends_with(b"\r") {
            raw.push(b'\n');
        }
        raw
    }

    fn next(&mut self) -> io::Result<Option<Record>> {
        let mut record = ByteRecord::new();
        if !self.reader.read_byte_record(&mut record)? {
            return Ok(None);
        }
        let number = record.position().map_or(0, |position| usize::try_from(position.line()).unwrap_or(usize::MAX));
        let raw = self.raw();
        let fields = self.fields(&record, &raw);
        Ok(Some(Record { number, raw, fields }))
    }

    fn fields(&self, record: &ByteRecord, raw: &[u8]) -> Result<Map<String, Value>, Reason> {
        if record.len() != self.columns.len() {
            let lines = raw.trim_ascii_end().split(|byte| *byte == b'\n').count();
            let about = format!("{} of {}", record.len(), self.columns.len());
            let about = if lines > 1 { format!("{about}, over {lines} lines: a quotation mark may be missing") } else { about };
            return Err(Reason::new("it has not as many fields as the first line names").about(about));
        }
        let mut fields = Map::new();
        for (name, value) in self.columns.iter().zip(record) {
            let value = std::str::from_utf8(value).map_err(|_| not_utf8())?;
            if !value.is_empty() || !MORE_COLUMNS.contains(&name.as_str()) {
                fields.insert(name.clone(), Value::String(value.to_owned()));
            }
        }
        Ok(fields)
    }
}

/// Keeps the bytes that are read through it, until they are taken.
struct Tee {
    source: Source,
    kept: Rc<RefCell<Vec<u8>>>,
}

impl Read for Tee {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.source.read(buffer)?;
        self.kept.borrow_mut().extend_from_slice(&buffer[..length]);
        Ok(length)
    }
}
