//! The operator's logo: `logo.png` and, if there is one, `logo.svg` for pages. Mail programs do not show SVG.

use std::{fs, path::Path};

use super::{Problems, sources::Sources};

/// Maximum size of the picture in bytes, because every mail contains it.
const MAX_PNG_BYTES: usize = 48 * 1024;
/// Maximum size of the drawing in bytes, because every page contains it.
const MAX_SVG_BYTES: usize = 16 * 1024;
/// The first bytes of a PNG file (RFC 2083, 3.1).
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The Rust code of the logo.
pub fn generate(sources: &Sources) -> Result<String, Problems> {
    let (png, svg) = (sources.own("logo.png"), sources.own("logo.svg"));
    let Some(png) = png else {
        return match svg {
            Some(_) => Err(vec!["BRANDING: logo.svg needs a logo.png beside it, because mail programs show no SVG".to_owned()]),
            None => Ok("pub(crate) const LOGO: Option<Logo> = None;\n".to_owned()),
        };
    };
    let mut problems = Problems::new();
    let (width, height) = size(png).unwrap_or_else(|wrong| {
        problems.push(wrong);
        (1, 1)
    });
    let drawing = match svg.map(|path| (path, fs::read_to_string(path).map_err(|error| error.to_string()).and_then(|text| drawing(&text))))
    {
        Some((_, Err(wrong))) => {
            problems.push(format!("BRANDING: logo.svg {wrong}"));
            "None".to_owned()
        }
        Some((path, Ok(()))) => format!("Some(include_bytes!({:?}))", path.display().to_string()),
        None => "None".to_owned(),
    };
    if !problems.is_empty() {
        return Err(problems);
    }
    let png = png.display().to_string();
    Ok(format!(
        "pub(crate) const LOGO: Option<Logo> = Some(Logo {{ png: include_bytes!({png:?}), svg: {drawing}, width: {width}, height: {height} }});\n"
    ))
}

/// The width and height of a picture in pixels, from the first chunk of its file (RFC 2083, 4.1.1).
fn size(path: &Path) -> Result<(u32, u32), String> {
    let bytes = fs::read(path).map_err(|error| format!("BRANDING: logo.png: {error}"))?;
    let number = |from: usize| bytes.get(from..from + 4).and_then(|part| part.try_into().ok()).map(u32::from_be_bytes);
    let is_png = bytes.starts_with(PNG) && bytes.get(12..16) == Some(b"IHDR".as_slice());
    match (number(16), number(20)) {
        _ if bytes.len() > MAX_PNG_BYTES => {
            Err(format!("BRANDING: logo.png has {} bytes; every mail carries it, so {MAX_PNG_BYTES} are the most", bytes.len()))
        }
        (Some(width @ 1..=4096), Some(height @ 1..=4096)) if is_png => {
            if width <= 10 * height && height <= 4 * width {
                Ok((width, height))
            } else {
                Err(format!("BRANDING: logo.png is {width} × {height} pixels, which is too wide or too high for a heading"))
            }
        }
        _ => Err("BRANDING: logo.png is no PNG of at most 4096 × 4096 pixels".to_owned()),
    }
}

/// Checks a drawing. Pages embed it as an image, in which browsers run and load nothing (SVG 2, 2.2.6, secure static mode). That does not protect somebody
/// who opens the file itself, so scripts are refused anyway.
fn drawing(text: &str) -> Result<(), String> {
    let lower = text.to_lowercase();
    if text.len() > MAX_SVG_BYTES {
        return Err(format!("has {} bytes; every page carries it, so {MAX_SVG_BYTES} are the most", text.len()));
    }
    if !lower.contains("<svg") {
        return Err("is no SVG".to_owned());
    }
    let forbidden =
        ["<script", "<foreignobject", "<!entity", "<!doctype", "javascript:", "href=\"http", "href='http", "url(http", "@import"];
    let handler = lower.match_indices("on").any(|(at, _)| {
        let is_begin = !lower[..at].ends_with(|char: char| char.is_alphanumeric() || char == '-');
        is_begin && lower[at..].trim_start_matches(|char: char| char.is_ascii_alphabetic()).trim_start().starts_with('=')
    });
    match forbidden.iter().find(|part| lower.contains(**part)) {
        Some(part) => Err(format!("has {part}, which a picture does not need: save it as plain SVG")),
        None if handler => Err("has an event handler, which a picture does not need: save it as plain SVG".to_owned()),
        None => Ok(()),
    }
}
