//! Whether a client prefers a page or JSON.

use crate::preference::liked;

/// Whether an `Accept` header (all of its lines) names text/html with at least the quality of application/json (RFC 9110, 12.5.1).
///
/// A program that takes anything (`*/*`) has not asked for a page.
pub(super) fn likes_page<'a>(lines: impl Iterator<Item = &'a str>) -> bool {
    let ranges: Vec<(&str, u16)> = lines.flat_map(liked).collect();
    let quality = |names: &[&str]| {
        // The most specific range counts.
        let of = |name: &&str| ranges.iter().filter(|(range, _)| range.eq_ignore_ascii_case(name)).map(|(_, quality)| *quality).max();
        names.iter().find_map(of).unwrap_or(0)
    };
    let page = quality(&["text/html", "text/*"]);
    // Java writes "*" for "*/*".
    page > 0 && page >= quality(&["application/json", "application/*", "*/*", "*"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_for_whoever_likes_html_no_less_than_json() {
        for accept in [
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "text/html, application/json",
            "TEXT/HTML;charset=utf-8;q=0.5, application/json;q=0.5",
            "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
            "text/html",
            "text/*, */*;q=0.1",
            "text/html;q=0.9, application/json;q=0.1, */*",
        ] {
            assert!(likes_page([accept].into_iter()), "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "application/json",
            "application/json, text/plain, */*",
            "application/json, text/html;q=0.9",
            "application/json;q=1.0, text/html;q=0.999",
            "text/html;q=0.5, application/*;q=0.6",
            "text/html;q=0.5, */*",
            "text/html;q=0",
            "text/html;q=0, text/*",
            "text/htmlx",
            "application/xhtml+xml",
            "image/avif,image/webp,*/*;q=0.8",
        ] {
            assert!(!likes_page([accept].into_iter()), "{accept}");
        }
        assert!(likes_page(["application/json;q=0.3", "text/html;q=0.4"].into_iter()));
    }
}
