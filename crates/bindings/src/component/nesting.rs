//! How deep a component's parts lie in each other, measured without recursion: `wasmparser` reads a type and those declared in
//! it recursively and without a limit.

use crate::Error;
use wasmparser::{
    BinaryReader, ComponentAlias, ComponentExternName, ComponentImport, ComponentType, ComponentTypeRef, CoreType,
    Parser, Payload,
};

/// How deep components, and types of components, may lie in each other. The same as Wasmtime's own limit for types.
const NESTING_MAX: usize = 100;

/// Goes through a component.
pub(super) fn check(binary: &[u8]) -> Result<(), Error> {
    let mut open = 0_usize;
    for payload in Parser::new(0).parse_all(binary) {
        match payload.map_err(malformed)? {
            Payload::Version { .. } => open += 1,
            Payload::End(_) => open = open.saturating_sub(1),
            Payload::ComponentTypeSection(section) => {
                let range = section.range();
                types(binary.get(range.clone()).unwrap_or_default(), range.start)?;
            }
            _ => {}
        }
        if open > NESTING_MAX {
            return Err(too_deep());
        }
    }
    Ok(())
}

/// Goes through a section of types with a stack of its own.
fn types(section: &[u8], offset: usize) -> Result<(), Error> {
    let mut reader = BinaryReader::new(section, offset);
    let mut left = vec![reader.read_var_u32().map_err(malformed)?];
    while let Some(count) = left.last_mut() {
        if *count == 0 {
            left.pop();
            continue;
        }
        *count -= 1;
        let at_top = left.len() == 1;
        if let Some(declarations) = declaration(&mut reader, at_top).map_err(malformed)? {
            if left.len() > NESTING_MAX {
                return Err(too_deep());
            }
            left.push(declarations);
        }
    }
    Ok(())
}

/// Reads one type, or one declaration in a type. Gives the number of declarations that follow where it opens a type of a
/// component or an instance.
fn declaration(reader: &mut BinaryReader<'_>, at_top: bool) -> Result<Option<u32>, wasmparser::BinaryReaderError> {
    match if at_top { 1 } else { reader.read_u8()? } {
        0 => {
            reader.read::<CoreType<'_>>()?;
        }
        1 => {
            if matches!(reader.clone().read_u8()?, 0x41 | 0x42) {
                reader.read_u8()?;
                return reader.read_var_u32().map(Some);
            }
            reader.read::<ComponentType<'_>>()?;
        }
        2 => {
            reader.read::<ComponentAlias<'_>>()?;
        }
        3 => {
            reader.read::<ComponentImport<'_>>()?;
        }
        _ => {
            reader.read::<ComponentExternName<'_>>()?;
            reader.read::<ComponentTypeRef>()?;
        }
    }
    Ok(None)
}

fn malformed(error: wasmparser::BinaryReaderError) -> Error {
    Error::Malformed(error.to_string())
}

fn too_deep() -> Error {
    Error::TooLarge(format!("{NESTING_MAX} in each other"))
}
