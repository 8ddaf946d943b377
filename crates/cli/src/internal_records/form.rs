//! The internal topics' records as JSON, by a description of their bytes. Pure.
//!
//! A form is fields separated by blanks, `name:type`, a tagged field `name:type#tag`. Types: `i8 i16 i32
//! i64 u16 f64 bool`, `s` text, `u` uuid, `b` bytes, `[type]` list, `{fields}` structure, `?{fields}`
//! structure or null. In a flexible form lengths are compact and every structure ends in tagged fields, of
//! which only those are printed that are there.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Buf;

/// What a field is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Int(usize),
    UnsignedShort,
    Double,
    Bool,
    Text,
    Uuid,
    Bytes,
    List(Box<Kind>),
    Struct { fields: Vec<Field>, nullable: bool },
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    name: String,
    kind: Kind,
    tag: Option<u32>,
}

/// The bytes are not of the form.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

type Result<T> = std::result::Result<T, Malformed>;

/// Bytes as JSON.
pub(crate) fn json(form: &str, flexible: bool, bytes: &mut &[u8]) -> Result<String> {
    let mut text = form;
    let fields = parse_fields(&mut text);
    structure(&fields, flexible, bytes)
}

fn parse_fields(text: &mut &str) -> Vec<Field> {
    let mut fields = Vec::new();
    loop {
        *text = text.trim_start();
        let Some((name, rest)) = text.split_once(':').filter(|_| !text.starts_with('}')) else {
            return fields;
        };
        *text = rest;
        let kind = parse_kind(text);
        let mut tag = None;
        if let Some(rest) = text.strip_prefix('#') {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (number, rest) = rest.split_at(end);
            tag = number.parse().ok();
            *text = rest;
        }
        fields.push(Field { name: name.to_owned(), kind, tag });
    }
}

fn parse_kind(text: &mut &str) -> Kind {
    if let Some(rest) = text.strip_prefix('[') {
        *text = rest;
        let inner = parse_kind(text);
        *text = text.strip_prefix(']').unwrap_or(text);
        return Kind::List(Box::new(inner));
    }
    if let Some(rest) = text.strip_prefix("?{").or_else(|| text.strip_prefix('{')) {
        let nullable = text.starts_with('?');
        *text = rest;
        let fields = parse_fields(text);
        *text = text.strip_prefix('}').unwrap_or(text);
        return Kind::Struct { fields, nullable };
    }
    let end = text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    *text = rest;
    match word {
        "i8" => Kind::Int(1),
        "i16" => Kind::Int(2),
        "i32" => Kind::Int(4),
        "u16" => Kind::UnsignedShort,
        "f64" => Kind::Double,
        "bool" => Kind::Bool,
        "s" => Kind::Text,
        "u" => Kind::Uuid,
        "b" => Kind::Bytes,
        _ => Kind::Int(8),
    }
}

fn structure(fields: &[Field], flexible: bool, bytes: &mut &[u8]) -> Result<String> {
    let mut values: Vec<Option<String>> = Vec::with_capacity(fields.len());
    for field in fields {
        let here = field.tag.is_none();
        values.push(if here { Some(value(&field.kind, flexible, bytes)?) } else { None });
    }
    if flexible {
        for _ in 0..unsigned_varint(bytes)? {
            let tag = unsigned_varint(bytes)?;
            let length = unsigned_varint(bytes)? as usize;
            let mut content = take(bytes, length)?;
            let known = fields.iter().position(|field| field.tag == Some(tag));
            if let Some((field, slot)) =
                known.and_then(|place| Some((fields.get(place)?, values.get_mut(place)?)))
            {
                *slot = Some(tagged(&field.kind, flexible, &mut content)?);
            }
        }
    }
    let mut text = String::from("{");
    for (field, value) in fields.iter().zip(values) {
        let Some(value) = value else { continue };
        let comma = if text.len() > 1 { "," } else { "" };
        // Writing to a string cannot fail.
        let _ = write!(text, "{comma}\"{}\":{value}", field.name);
    }
    text.push('}');
    Ok(text)
}

/// In a tagged field a structure that is null begins with 0, another one with 1.
fn tagged(kind: &Kind, flexible: bool, bytes: &mut &[u8]) -> Result<String> {
    match kind {
        Kind::Struct { fields, nullable: true } => match unsigned_varint(bytes)? {
            0 => Ok("null".to_owned()),
            _ => structure(fields, flexible, bytes),
        },
        kind => value(kind, flexible, bytes),
    }
}

fn value(kind: &Kind, flexible: bool, bytes: &mut &[u8]) -> Result<String> {
    match kind {
        Kind::Int(size) => {
            let number = match size {
                1 => bytes.try_get_i8().map(i64::from),
                2 => bytes.try_get_i16().map(i64::from),
                4 => bytes.try_get_i32().map(i64::from),
                _ => bytes.try_get_i64(),
            };
            number.map(|number| number.to_string()).map_err(|_| Malformed)
        }
        Kind::UnsignedShort => bytes.try_get_u16().map(|n| n.to_string()).map_err(|_| Malformed),
        Kind::Double => bytes.try_get_f64().map(double).map_err(|_| Malformed),
        Kind::Bool => bytes.try_get_u8().map(|n| (n != 0).to_string()).map_err(|_| Malformed),
        Kind::Uuid => Ok(format!("\"{}\"", URL_SAFE_NO_PAD.encode(take(bytes, 16)?))),
        Kind::Text => match short_length(flexible, bytes)? {
            None => Ok("null".to_owned()),
            Some(length) => quoted(take(bytes, length)?),
        },
        Kind::Bytes => match long_length(flexible, bytes)? {
            None => Ok("null".to_owned()),
            Some(length) => Ok(format!("\"{}\"", STANDARD.encode(take(bytes, length)?))),
        },
        Kind::List(inner) => {
            let Some(count) = long_length(flexible, bytes)? else { return Ok("null".to_owned()) };
            let mut items = Vec::new();
            for _ in 0..count {
                // Every element takes a byte: an absurd count ends with the bytes.
                if bytes.is_empty() {
                    return Err(Malformed);
                }
                items.push(value(inner, flexible, bytes)?);
            }
            Ok(format!("[{}]", items.join(",")))
        }
        Kind::Struct { fields, nullable } => {
            if *nullable && bytes.try_get_i8().map_err(|_| Malformed)? < 0 {
                return Ok("null".to_owned());
            }
            structure(fields, flexible, bytes)
        }
    }
}

/// As Java writes it.
fn double(value: f64) -> String {
    if value == 0.0 || (1e-3..1e7).contains(&value.abs()) {
        return format!("{value:?}");
    }
    let text = format!("{value:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

fn quoted(text: &[u8]) -> Result<String> {
    let text = std::str::from_utf8(text).map_err(|_| Malformed)?;
    serde_json::to_string(text).map_err(|_| Malformed)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(length).ok_or(Malformed)?;
    *bytes = rest;
    Ok(head)
}

/// A text's length; `None` for null.
fn short_length(flexible: bool, bytes: &mut &[u8]) -> Result<Option<usize>> {
    if flexible {
        return compact_length(bytes);
    }
    let length = bytes.try_get_i16().map_err(|_| Malformed)?;
    Ok(usize::try_from(length).ok())
}

/// The length of bytes or of a list; `None` for null.
fn long_length(flexible: bool, bytes: &mut &[u8]) -> Result<Option<usize>> {
    if flexible {
        return compact_length(bytes);
    }
    let length = bytes.try_get_i32().map_err(|_| Malformed)?;
    Ok(usize::try_from(length).ok())
}

fn compact_length(bytes: &mut &[u8]) -> Result<Option<usize>> {
    Ok((unsigned_varint(bytes)? as usize).checked_sub(1))
}

pub(crate) fn unsigned_varint(bytes: &mut &[u8]) -> Result<u32> {
    let mut value = 0_u32;
    for shift in (0..35).step_by(7) {
        let byte = bytes.try_get_u8().map_err(|_| Malformed)?;
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Malformed)
}
