//! The product's name, colour, logo and links in mails and pages.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;

use crate::{
    config::Settings,
    url::{is_mailbox, is_page},
};

include!(concat!(env!("OUT_DIR"), "/logo.rs"));

/// The product to which the accounts belong, as its users know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Its name.
    pub name: String,
    /// Its colour.
    pub colour: Colour,
    /// Its logo, if one is compiled in.
    pub logo: Option<Logo>,
    /// Its own pages.
    pub links: ProductLinks,
}

/// A logo: a picture for mails and, for pages, perhaps a drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logo {
    /// The picture (PNG).
    pub png: &'static [u8],
    /// The drawing (SVG). A page shows it as a picture, in which nothing runs.
    pub svg: Option<&'static [u8]>,
    /// The picture's width in pixels.
    pub width: u32,
    /// The picture's height in pixels.
    pub height: u32,
}

/// A logo as templates see it, in pixels of CSS.
#[derive(Serialize)]
pub(crate) struct Picture {
    width: u32,
    height: u32,
    /// Whether it is so wide that it is assumed to contain the product's name, which is then not written beside it.
    has_name: bool,
}

/// Pages of the product to which our pages and mails link. Each is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProductLinks {
    /// Where people log in.
    pub login: Option<String>,
    /// The product's first page.
    pub home: Option<String>,
    /// Where people get help: a page, or an address (`mailto:`).
    pub help: Option<String>,
    /// Who runs it.
    pub imprint: Option<String>,
    /// What is done with people's data.
    pub privacy: Option<String>,
}

/// A colour (sRGB).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    red: u8,
    green: u8,
    blue: u8,
}

/// The default colour of links and buttons.
const OURS: Colour = Colour { red: 0x0b, green: 0x63, blue: 0x57 };
/// The background of pages and mails in dark mode, on which a lighter variant of the colour is used.
const DARK: Colour = Colour { red: 0x1e, green: 0x20, blue: 0x22 };
const WHITE: Colour = Colour { red: 255, green: 255, blue: 255 };
/// The lowest contrast of text with its background (WCAG 2.2, 1.4.3, level AA).
const MIN_CONTRAST: f64 = 4.5;
/// Maximum length of a product's name in code points. Mail programs show about 60 of a subject.
const MAX_NAME: usize = 40;

impl Default for Product {
    fn default() -> Self {
        Self { name: "Doorward".to_owned(), colour: OURS, logo: LOGO, links: ProductLinks::default() }
    }
}

impl Product {
    /// `PRODUCT_NAME` (default Doorward), `PRODUCT_COLOR` (such as `#0b6357`), which must be dark enough to be read on white, and the links.
    pub fn configured(settings: &mut Settings) -> Self {
        let default = Self::default();
        Self {
            name: settings.parsed("PRODUCT_NAME", default.name, |text| {
                let sane = text.chars().count() <= MAX_NAME && !text.contains(char::is_control);
                // Mail programs may turn a name with a dot between letters into a link. That is the operator's decision.
                if sane { Ok(text.to_owned()) } else { Err(format!("must be one line of at most {MAX_NAME} characters")) }
            }),
            colour: settings.parsed("PRODUCT_COLOR", default.colour, |text| {
                let colour = Colour::parse(text).ok_or_else(|| "must be a colour such as #0b6357".to_owned())?;
                let contrast = colour.contrast(WHITE);
                if contrast >= MIN_CONTRAST {
                    Ok(colour)
                } else {
                    Err(format!("is too light to be read on white: its contrast is {contrast:.1}, at least {MIN_CONTRAST} is needed"))
                }
            }),
            logo: default.logo,
            links: ProductLinks::configured(settings),
        }
    }
}

impl ProductLinks {
    /// `LOGIN_LINK`, `HOME_LINK`, `HELP_LINK`, `IMPRINT_LINK` and `PRIVACY_LINK`.
    fn configured(settings: &mut Settings) -> Self {
        let mut page = |name| {
            settings.parsed(name, None, |text| {
                let wrong = || "must be a URL such as https://app.example.com/login, of at most 200 characters".to_owned();
                is_page(text).then(|| Some(text.to_owned())).ok_or_else(wrong)
            })
        };
        let (login, home, imprint, privacy) = (page("LOGIN_LINK"), page("HOME_LINK"), page("IMPRINT_LINK"), page("PRIVACY_LINK"));
        let help = settings.parsed("HELP_LINK", None, |text| {
            let wrong =
                || "must be a URL such as https://app.example.com/help or mailto:help@example.com, of at most 200 characters".to_owned();
            (is_page(text) || is_mailbox(text)).then(|| Some(text.to_owned())).ok_or_else(wrong)
        });
        Self { login, home, help, imprint, privacy }
    }
}

impl Logo {
    /// The height at which a logo is shown.
    const HEIGHT: u32 = 32;

    pub(crate) fn shown(self) -> Picture {
        let width = (self.width * Self::HEIGHT).div_ceil(self.height.max(1)).max(1);
        Picture { width, height: Self::HEIGHT, has_name: self.width > 2 * self.height }
    }

    /// The logo in a page.
    pub(crate) fn as_url(self) -> String {
        let (kind, bytes) = self.svg.map_or(("png", self.png), |drawing| ("svg+xml", drawing));
        format!("data:image/{kind};base64,{}", STANDARD.encode(bytes))
    }
}

impl Colour {
    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        let part = |from: usize| u8::from_str_radix(&digits[from..from + 2], 16).ok();
        Some(Self { red: part(0)?, green: part(2)?, blue: part(4)? })
    }

    /// The colour in CSS notation.
    pub(crate) fn css(self) -> String {
        format!("#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }

    /// The colour, lightened until it can be read on the dark background.
    pub(crate) fn in_the_dark(self) -> Self {
        // A little more than the minimum, so that text on a lighter panel still has it.
        (0..=20).map(|step| self.towards_white(step)).find(|colour| colour.contrast(DARK) >= MIN_CONTRAST + 2.0).unwrap_or(WHITE)
    }

    fn towards_white(self, twentieths: u32) -> Self {
        let part = |part: u8| u8::try_from((u32::from(part) * (20 - twentieths) + 255 * twentieths) / 20).unwrap_or(u8::MAX);
        Self { red: part(self.red), green: part(self.green), blue: part(self.blue) }
    }

    /// The contrast of two colours, from 1 to 21 (WCAG 2.2).
    fn contrast(self, other: Self) -> f64 {
        let (one, other) = (self.luminance(), other.luminance());
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    /// The relative luminance (WCAG 2.2).
    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.red) + 0.7152 * linear(self.green) + 0.0722 * linear(self.blue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(colour: &str) -> Result<Product, String> {
        let mut settings = Settings::from_pairs([("PRODUCT_COLOR".to_owned(), colour.to_owned())]);
        let product = Product::configured(&mut settings);
        settings.finish().map(|()| product).map_err(|complaint| complaint.to_string())
    }

    #[test]
    fn contrast_is_what_the_standard_computes() {
        assert!((Colour::parse("#000000").unwrap().contrast(WHITE) - 21.0).abs() < 0.001);
        assert!((Colour::parse("#767676").unwrap().contrast(WHITE) - 4.54).abs() < 0.01);
    }

    #[test]
    fn a_colour_that_cannot_be_read_is_refused() {
        assert_eq!(product("#1D4ED8").unwrap().colour.css(), "#1d4ed8");
        insta::assert_snapshot!(product("#ffcc00").unwrap_err(), @"PRODUCT_COLOR: is too light to be read on white: its contrast is 1.5, at least 4.5 is needed");
        for wrong in ["red", "#fff", "#12345g", "#0b6357;}", "0b6357"] {
            assert!(product(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn links_are_pages_of_the_operator_s() {
        let links = |pairs: &[(&str, &str)]| {
            let mut settings = Settings::from_pairs(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
            let links = Product::configured(&mut settings).links;
            settings.finish().map(|()| links).map_err(|complaint| complaint.to_string())
        };
        assert_eq!(links(&[]).unwrap(), ProductLinks::default());
        let some = links(&[("LOGIN_LINK", "https://app.example.com/login"), ("HELP_LINK", "mailto:help@example.com")]).unwrap();
        assert_eq!(
            (some.login.as_deref(), some.help.as_deref(), some.home),
            (Some("https://app.example.com/login"), Some("mailto:help@example.com"), None)
        );
        for name in ["LOGIN_LINK", "HOME_LINK", "HELP_LINK", "IMPRINT_LINK", "PRIVACY_LINK"] {
            assert!(links(&[(name, "javascript:alert(1)")]).unwrap_err().starts_with(&format!("{name}: must be a URL")), "{name}");
        }
        assert!(links(&[("LOGIN_LINK", "mailto:help@example.com")]).is_err());
    }

    #[test]
    fn a_wide_logo_has_the_product_s_name_in_it() {
        let logo = |width, height| Logo { png: b"png", svg: None, width, height }.shown();
        assert_eq!((logo(64, 64).width, logo(64, 64).has_name), (32, false));
        assert_eq!((logo(400, 100).width, logo(400, 100).has_name), (128, true));
        assert_eq!(Logo { png: b"png", svg: Some(b"<svg/>"), width: 1, height: 1 }.as_url(), "data:image/svg+xml;base64,PHN2Zy8+");
    }

    #[test]
    fn every_colour_can_be_read_in_the_dark() {
        for colour in ["#000000", "#0b6357", "#1d4ed8", "#7f1d1d", "#4b0082"] {
            assert!(Colour::parse(colour).unwrap().in_the_dark().contrast(DARK) >= MIN_CONTRAST, "{colour}");
        }
    }
}
