//! Parses the pages of `ListBuckets` instead of the SDK.
//!
//! The SDK's parser is less strict and slower. It reads a page with a piece missing as a shorter one
//! ([`xml`](crate::xml)), ignores names in CDATA, and parses twice, the second time into types of 100 bytes and up to
//! four strings per bucket: 19 ms for 10,000 buckets. So the whole document is parsed here. The SDK gets an empty one,
//! from which it builds the output with the request ID; if the document is not a page but an error, the SDK gets the
//! document itself.
//!
//! Buckets make up nearly all of a page. In the form in which S3 writes them (S3 API reference, `ListBuckets`), they
//! are read without an XML parser, tag by tag: elements without attributes, nothing between them, and plain ASCII text
//! in the fields. That takes 0.8 ms. There is no searching: each tag is either what the form allows at that position,
//! or the XML parser reads the element from its beginning. So no name, however strange, is mistaken for markup. An XML
//! parser alone takes 2.3 ms (xmlparser 0.13 and quick-xml 0.42 alike, without building buckets).

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept, OverriddenHooks, context::BeforeDeserializationInterceptorContextMut,
        },
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::{DateTime, config_bag::ConfigBag, date_time::Format};

use super::buckets::{Bucket, Buckets};
use crate::{
    budget::{MAX_PAGE, Reservation},
    whole_response::read_whole,
    xml::{Event, NotWellFormed, Reader},
};

/// The document that the SDK gets in place of a page.
const EMPTY: &[u8] = b"<ListAllMyBucketsResult/>";

/// The page in one response. Pass a clone to the request as an interceptor.
#[derive(Clone)]
pub(crate) struct PageReader {
    page: Arc<Mutex<Option<Page>>>,
    reservation: Reservation,
}

impl PageReader {
    /// Creates a reader for the account of this reservation.
    pub(crate) fn new(reservation: Reservation) -> Self {
        Self {
            page: Arc::default(),
            reservation,
        }
    }

    /// Returns the page, or `None` if the response was not one.
    pub(crate) fn take(&self) -> Option<Page> {
        self.lock().take()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Page>> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for PageReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageReader").finish_non_exhaustive()
    }
}

impl Intercept for PageReader {
    fn name(&self) -> &'static str {
        "PageReader"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // From an earlier attempt.
        *self.lock() = None;
        self.reservation.begin();
        let response = context.response_mut();
        let is_success = response.status().is_success();
        let place = self.clone();
        let reservation = Some(self.reservation.clone());
        read_whole(response, MAX_PAGE, reservation, move |document| {
            if is_success && let Some(page) = read(&document)? {
                *place.lock() = Some(page);
                return Ok(EMPTY.into());
            }
            Ok(document.into())
        });
        Ok(())
    }

    fn overridden_hooks(&self) -> OverriddenHooks {
        OverriddenHooks::MODIFY_BEFORE_DESERIALIZATION
    }
}

/// A page of S3's response.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) buckets: Buckets,
    /// The continuation token of the next page, if there is one.
    pub(crate) token: Option<String>,
}

/// The document is not a valid page.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum NoPage {
    #[error(transparent)]
    NotWellFormed(#[from] NotWellFormed),
    #[error("it has {0}")]
    Has(&'static str),
}

/// Parses the page in a document, and checks all of it. Returns `None` if the document is something else, such as an
/// error.
fn read(document: &[u8]) -> Result<Option<Page>, NoPage> {
    let mut reader = Reader::new(document)?;
    let is_page = reader.next()? == Some(Event::Start("ListAllMyBucketsResult"));
    let (mut buckets, mut token) = (None, None);
    while let Some(event) = reader.next()? {
        match event {
            Event::Start(name) if is_page && reader.depth() == 2 => match name {
                "Buckets" => once(&mut buckets, read_buckets(&mut reader)?)?,
                "ContinuationToken" => {
                    once(&mut token, read_text(&mut reader)?)?;
                }
                _ => {}
            },
            _ => {}
        }
    }
    if !is_page {
        return Ok(None);
    }
    Ok(Some(Page {
        buckets: buckets.ok_or(NoPage::Has("no element `Buckets`"))?,
        token: token.filter(|token| !token.is_empty()),
    }))
}

/// Sets a value that may occur once in a document.
fn once<T>(place: &mut Option<T>, value: T) -> Result<(), NoPage> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(NoPage::Has("a duplicate element")),
    }
}

/// Reads the text of an element that has begun and contains only text.
fn read_text(reader: &mut Reader<'_>) -> Result<String, NoPage> {
    let mut whole = String::new();
    while let Some(event) = reader.next()? {
        match event {
            Event::Text(text) => whole.push_str(&text),
            Event::Start(_) => return Err(NoPage::Has("an element in place of text")),
            Event::End => break,
        }
    }
    Ok(whole)
}

/// Reads the rest of the element `Buckets`.
fn read_buckets(reader: &mut Reader<'_>) -> Result<Buckets, NoPage> {
    let mut rest = Rest(reader.rest());
    if let Some(buckets) = rest.buckets() {
        reader.go_on_with(rest.0);
        // Skip the end tag.
        reader.next()?;
        return Ok(buckets);
    }
    let mut buckets = Buckets::default();
    while let Some(event) = reader.next()? {
        match event {
            Event::Start("Bucket") => read_bucket(reader, &mut buckets)?,
            Event::Start(_) => {
                return Err(NoPage::Has("an unknown element in `Buckets`"));
            }
            Event::Text(text) => only_space(&text)?,
            Event::End => break,
        }
    }
    buckets.shrink_to_fit();
    Ok(buckets)
}

/// Reads the rest of an element `Bucket`.
fn read_bucket(reader: &mut Reader<'_>, buckets: &mut Buckets) -> Result<(), NoPage> {
    let (mut name, mut region, mut created) = (None, None, None);
    let depth = reader.depth();
    while let Some(event) = reader.next()? {
        match event {
            Event::Start("Name") => once(&mut name, read_text(reader)?)?,
            Event::Start("BucketRegion") => {
                once(&mut region, read_text(reader)?)?;
            }
            Event::Start("CreationDate") => {
                let date = DateTime::from_str(&read_text(reader)?, Format::DateTimeWithOffset);
                once(
                    &mut created,
                    date.map_err(|_| NoPage::Has("a bucket with an invalid date"))?,
                )?;
            }
            // An unknown field.
            Event::Start(_) => while reader.depth() > depth && reader.next()?.is_some() {},
            Event::Text(text) => only_space(&text)?,
            Event::End => break,
        }
    }
    buckets.push(Bucket {
        name: name
            .as_deref()
            .filter(|name| !name.is_empty())
            .ok_or(NoPage::Has("a bucket without a name"))?,
        region: region.as_deref(),
        created,
    });
    Ok(())
}

fn only_space(text: &str) -> Result<(), NoPage> {
    if text.trim_ascii().is_empty() {
        Ok(())
    } else {
        Err(NoPage::Has("text between elements"))
    }
}

/// The rest of a document, to be read in S3's own form.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    /// Reads `<NAME>`.
    fn start_tag(&mut self) -> Option<&'a str> {
        let after = self.0.strip_prefix('<')?;
        let length = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (name, after) = after.split_at(length);
        self.0 = after.strip_prefix('>').filter(|_| length > 0)?;
        Some(name)
    }

    /// Reads `</NAME>`, and returns whether it was next.
    fn end_tag(&mut self, name: &str) -> bool {
        let after = self.0.strip_prefix("</");
        let after = after.and_then(|after| after.strip_prefix(name));
        match after.and_then(|after| after.strip_prefix('>')) {
            Some(after) => {
                self.0 = after;
                true
            }
            None => false,
        }
    }

    /// Reads characters that are plain text to every parser: printable ASCII without references. May be empty.
    fn text(&mut self) -> &'a str {
        let is_text =
            |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'<' | b'>' | b'&' | b'"');
        let length = self.0.bytes().take_while(is_text).count();
        let (text, after) = self.0.split_at(length);
        self.0 = after;
        text
    }

    /// Reads all buckets up to the end tag of `Buckets`.
    fn buckets(&mut self) -> Option<Buckets> {
        // S3 writes more than this for each bucket.
        const MIN_BUCKET_LENGTH: usize = 128;
        let count = self.0.len() / MIN_BUCKET_LENGTH;
        let mut buckets = Buckets::with_capacity(count, 24);
        while !self.0.starts_with("</Buckets>") {
            self.0 = self.0.strip_prefix("<Bucket>")?;
            buckets.push(self.bucket()?);
        }
        buckets.shrink_to_fit();
        Some(buckets)
    }

    /// Reads the rest of an element `Bucket`.
    fn bucket(&mut self) -> Option<Bucket<'a>> {
        let (mut name, mut region, mut created) = (None, None, None);
        while !self.end_tag("Bucket") {
            let field = self.start_tag()?;
            let text = self.text();
            if !self.end_tag(field) {
                return None;
            }
            let is_second = match field {
                "Name" => name.replace(text).is_some(),
                "BucketRegion" => region.replace(text).is_some(),
                "CreationDate" => {
                    let date = DateTime::from_str(text, Format::DateTimeWithOffset).ok()?;
                    created.replace(date).is_some()
                }
                _ => false,
            };
            if is_second {
                return None;
            }
        }
        Some(Bucket {
            name: name.filter(|name| !name.is_empty())?,
            region,
            created,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <ListAllMyBucketsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
        <Owner><DisplayName>a b</DisplayName><ID>75aa57f0</ID></Owner>";
    const ONE: &str = "<Buckets><Bucket><Name>a</Name><CreationDate>2024-03-01T12:00:00.000Z</CreationDate>\
        <BucketRegion>eu-central-1</BucketRegion></Bucket></Buckets>";
    const END: &str = "</ListAllMyBucketsResult>";

    fn page(document: &str) -> Result<Page, NoPage> {
        read(document.as_bytes()).map(Option::unwrap_or_default)
    }

    /// Returns whether the buckets have S3's own form.
    fn is_direct(document: &str) -> bool {
        let (_, buckets) = document.split_once("<Buckets>").unwrap();
        Rest(buckets).buckets().is_some()
    }

    /// Parses with the XML parser alone: a comment is not part of the form.
    fn by_the_parser(document: &str) -> Result<Page, NoPage> {
        page(&document.replacen("<Buckets>", "<Buckets><!-- -->", 1))
    }

    fn names(page: &Page) -> Vec<&str> {
        page.buckets.iter().map(|bucket| bucket.name).collect()
    }

    #[test]
    fn the_form_of_s3_is_read_directly() {
        let document = format!("{HEAD}{ONE}<ContinuationToken>a&amp;b</ContinuationToken>{END}\n");
        let found = page(&document).unwrap();
        let bucket = Bucket {
            name: "a",
            region: Some("eu-central-1"),
            created: Some(DateTime::from_secs(1_709_294_400)),
        };
        assert_eq!(found.buckets.iter().collect::<Vec<_>>(), [bucket]);
        assert_eq!(found.token.as_deref(), Some("a&b"));
        for document in [
            document.clone(),
            format!("{HEAD}<Buckets></Buckets>{END}"),
            format!("<ListAllMyBucketsResult>{ONE}{END}"),
            // An unknown field.
            document.replace("</Name>", "</Name><Tier>x</Tier>"),
        ] {
            assert!(is_direct(&document), "{document}");
            let found = page(&document).unwrap();
            assert_eq!(Ok(found), by_the_parser(&document), "{document}");
        }
    }

    #[test]
    fn any_other_form_is_read_by_the_parser() {
        for (from, to, name) in [
            (">a<", ">a&amp;b<", "a&b"),
            (">a<", ">\u{fc}<", "\u{fc}"),
            (">a<", "><![CDATA[a<]]>b<", "a<b"),
            (">a<", ">a<!-- </Name> --><", "a"),
            (">a<", ">a\tb<", "a\tb"),
            ("<Name>", "<Name x=\"1\">", "a"),
            ("<Bucket>", "\n  <Bucket>", "a"),
            (
                "<Bucket>",
                "<Bucket><Tags><Tag><Name>b</Name></Tag></Tags>",
                "a",
            ),
            ("<Bucket>", "<Bucket><Tags/>", "a"),
        ] {
            let document = format!("{HEAD}{ONE}{END}").replacen(from, to, 1);
            assert!(!is_direct(&document), "{document}");
            assert_eq!(names(&page(&document).unwrap()), [name], "{document}");
        }
        for (from, to) in [
            ("<Buckets>", "<Buckets >"),
            ("<Owner>", "<!-- <Buckets></Buckets> --><Owner>"),
            ("a b", "<![CDATA[</DisplayName></Owner><Buckets>]]>"),
            ("xmlns=", "a='>' xmlns="),
        ] {
            let document = format!("{HEAD}{ONE}{END}").replacen(from, to, 1);
            assert_eq!(names(&page(&document).unwrap()), ["a"], "{document}");
        }
        let empty = format!("{HEAD}<Buckets/>{END}");
        assert_eq!(page(&empty), Ok(Page::default()));
    }

    #[test]
    fn invalid_pages_are_errors() {
        for (from, to, problem) in [
            (ONE, "", "it has no element `Buckets`"),
            ("<Name>a</Name>", "", "it has a bucket without a name"),
            (">a</Name>", "/>", "it has a bucket without a name"),
            (
                "<Name>a</Name>",
                "<Name><Name>a</Name></Name>",
                "it has an element in place of text",
            ),
            (
                "2024-03-01",
                "2024-13-01",
                "it has a bucket with an invalid date",
            ),
            (
                "</Bucket></Buckets>",
                "</Bucket>b</Buckets>",
                "it has text between elements",
            ),
            ("<Name>", "b<Name>", "it has text between elements"),
            (
                "<Bucket>",
                "<Other/><Bucket>",
                "it has an unknown element in `Buckets`",
            ),
            (
                "<Name>",
                "<Name>b</Name><Name>",
                "it has a duplicate element",
            ),
            (
                "</Buckets>",
                "</Buckets><Buckets></Buckets>",
                "it has a duplicate element",
            ),
        ] {
            let document = format!("{HEAD}{ONE}{END}").replacen(from, to, 1);
            assert_eq!(
                page(&document).unwrap_err().to_string(),
                problem,
                "{document}"
            );
        }
        for (from, to) in [
            ("<Name>a</Name>", "<Name>a</Other>"),
            ("<Name>", "<s:Name>"),
            ("<Buckets>", "<s:Buckets>"),
            ("a b", "\u{1}"),
            ("<?xml ", "b<?xml "),
        ] {
            let document = format!("{HEAD}{ONE}{END}").replacen(from, to, 1);
            let error = NoPage::NotWellFormed(NotWellFormed);
            assert_eq!(page(&document), Err(error), "{document}");
        }
    }

    #[test]
    fn an_error_is_left_to_the_sdk() {
        assert_eq!(read(b"<Error><Code>InternalError</Code></Error>"), Ok(None));
        assert!(read(b"<Error><Code>InternalError</Error>").is_err());
    }

    #[test]
    fn a_truncated_document_is_an_error() {
        let document = format!("{HEAD}{ONE}{END}");
        for end in 0..document.len() {
            assert!(page(&document[..end]).is_err(), "{}", &document[..end]);
        }
    }

    /// Generates text for a position where a bucket or one of its fields is expected.
    fn piece() -> impl Strategy<Value = String> {
        let text = prop_oneof![
            6 => "[a-z0-9.-]{1,12}",
            1 => "[ -~&&[^<&]]{0,6}",
            1 => Just("a&lt;b&#65;".to_owned()),
            1 => Just("<![CDATA[<Bucket>]]>".to_owned()),
            1 => "\\PC{0,4}".prop_map(|text| text.replace(['<', '&'], "")),
        ];
        let name = prop_oneof![
            8 => Just("Name"), 3 => Just("BucketRegion"), 2 => Just("BucketArn"), 1 => Just("Bucket"), 1 => Just("Buckets"),
            1 => Just("s:Name"), 1 => Just("Name a=\"b\""), 1 => Just("Name "),
        ];
        (name, text, 0..16).prop_map(|(name, text, form)| {
            let end = name.split(' ').next().unwrap_or_default();
            match form {
                0 => format!("<{name}/>"),
                1 => format!("<!-- <{end}> -->"),
                2 => "\n ".to_owned(),
                3 => format!("<{name}>{text}<!-- -->{text}</{end}>"),
                4 => format!("<{name}><{end}>{text}</{end}></{end}>"),
                _ => format!("<{name}>{text}</{end}>"),
            }
        })
    }

    proptest! {
        #[test]
        fn both_parsers_agree(
            buckets in prop::collection::vec((any::<bool>(), prop::collection::vec(piece(), 0..4)), 0..4),
            after in prop::collection::vec(piece(), 0..2),
            cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
        ) {
            let buckets: Vec<String> = buckets
                .iter()
                .map(|(is_named, fields)| {
                    let name = if *is_named { "<Name>first</Name>" } else { "" };
                    format!("<Bucket>{name}{}</Bucket>", fields.concat())
                })
                .collect();
            let document = format!(
                "{HEAD}<Buckets>{}</Buckets>{}<Prefix>p</Prefix>{END}",
                buckets.concat(),
                after.concat(),
            );
            let cut = cut.map_or(document.len(), |cut| cut.index(document.len()));
            let document = &document[..document.floor_char_boundary(cut)];
            prop_assert_eq!(page(document), by_the_parser(document), "{}", document);
        }
    }
}
