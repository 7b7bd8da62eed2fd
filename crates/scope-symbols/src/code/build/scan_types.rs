//! Types and their members, as their entries say.

use gimli::{AttributeValue, DwTag, constants as dw};

use super::attributes;
use super::facts::{MemberFact, NO_KEY, Part, TypeFact};
use super::scan::{Attribute, Here, Scanner, What, last};
use crate::code::model::{MemberKind, TypeKind};
use crate::code::rows::{NONE, member_flags, type_flags};

/// What a tag says of a type; `None`: it is none.
pub(super) fn kind_of(tag: DwTag) -> Option<TypeKind> {
    Some(match tag {
        dw::DW_TAG_base_type => TypeKind::Base,
        dw::DW_TAG_structure_type | dw::DW_TAG_class_type | dw::DW_TAG_interface_type => {
            TypeKind::Struct
        }
        dw::DW_TAG_union_type => TypeKind::Union,
        dw::DW_TAG_enumeration_type => TypeKind::Enum,
        dw::DW_TAG_pointer_type => TypeKind::Pointer,
        dw::DW_TAG_reference_type => TypeKind::Reference,
        dw::DW_TAG_rvalue_reference_type => TypeKind::RvalueReference,
        dw::DW_TAG_ptr_to_member_type => TypeKind::MemberPointer,
        dw::DW_TAG_array_type => TypeKind::Array,
        dw::DW_TAG_typedef | dw::DW_TAG_template_alias => TypeKind::Typedef,
        dw::DW_TAG_const_type => TypeKind::Const,
        dw::DW_TAG_volatile_type => TypeKind::Volatile,
        dw::DW_TAG_restrict_type => TypeKind::Restrict,
        dw::DW_TAG_atomic_type => TypeKind::Atomic,
        dw::DW_TAG_subroutine_type => TypeKind::Function,
        dw::DW_TAG_unspecified_type => TypeKind::Unspecified,
        _ => return None,
    })
}

impl<'a> Scanner<'_, '_, 'a> {
    pub(super) fn type_entry(
        &mut self,
        tag: DwTag,
        here: Here,
        attributes: &[Attribute<'a>],
    ) -> Option<What> {
        let mut fact = TypeFact {
            key: here.key,
            scope: here.scope,
            name: &[],
            kind: kind_of(tag)? as u8,
            encoding: 0,
            flags: 0,
            size: 0,
            target: NO_KEY,
            file: NONE,
            line: 0,
            members: Part::default(),
        };
        for attribute in attributes {
            let value = attribute.value();
            match attribute.name() {
                dw::DW_AT_name => fact.name = self.name(value, here.scope),
                dw::DW_AT_byte_size => {
                    if let Some(size) = value.udata_value() {
                        fact.size = size;
                        fact.flags |= type_flags::HAS_SIZE;
                    }
                }
                dw::DW_AT_encoding => {
                    if let AttributeValue::Encoding(encoding) = value {
                        fact.encoding = encoding.0;
                    }
                }
                dw::DW_AT_declaration if value == AttributeValue::Flag(true) => {
                    fact.flags |= type_flags::DECLARATION;
                }
                dw::DW_AT_type | dw::DW_AT_signature => fact.target = self.reference(&value),
                dw::DW_AT_specification => {
                    // A definition outside its namespace: the declaration inside says where it is.
                    let declared = self.reference(&value);
                    let types = &self.facts.types;
                    if let Ok(at) = types.binary_search_by_key(&declared, |other| other.key) {
                        fact.scope = types[at].scope;
                    }
                }
                dw::DW_AT_decl_file => fact.file = self.file(&value),
                dw::DW_AT_decl_line => fact.line = attributes::number(&value),
                _ => {}
            }
        }
        self.facts.types.push(fact);
        Some(What::Type(last(&self.facts.types)))
    }

    pub(super) fn variants(&mut self, here: Here, attributes: &[Attribute<'a>]) -> Option<What> {
        let Some(What::Type(of)) = here.parent else { return None };
        let discriminant = attributes.iter().find(|attribute| attribute.name() == dw::DW_AT_discr);
        let discriminant = discriminant.map_or(NO_KEY, |value| self.reference(&value.value()));
        Some(What::Variants { of, discriminant, count: 0 })
    }

    pub(super) fn variant(&mut self, here: Here, attributes: &[Attribute<'a>]) -> Option<What> {
        let Some(What::Variants { of, .. }) = here.parent else { return None };
        let value = attributes.iter().find(|attribute| attribute.name() == dw::DW_AT_discr_value);
        let value = value.and_then(|value| attributes::constant(&value.value()));
        Some(What::Variant { of, number: self.count_variant(), value })
    }

    /// A member, base, enumerator, dimension or parameter of a type. None has children that matter.
    pub(super) fn member(
        &mut self,
        tag: DwTag,
        here: Here,
        attributes: &[Attribute<'a>],
    ) -> Option<What> {
        let (owner, variant, value, is_discriminant) = match here.parent? {
            What::Type(of) => (of, 0, None, false),
            What::Variants { of, discriminant, .. } => (of, 0, None, discriminant == here.key),
            What::Variant { of, number, value } => (of, number, value, false),
            _ => return None,
        };
        let kind = match tag {
            dw::DW_TAG_inheritance => MemberKind::Base,
            dw::DW_TAG_enumerator => MemberKind::Enumerator,
            dw::DW_TAG_subrange_type => MemberKind::Dimension,
            dw::DW_TAG_formal_parameter => MemberKind::Parameter,
            _ if is_discriminant => MemberKind::Discriminant,
            _ => MemberKind::Field,
        };
        let mut fact = MemberFact {
            owner,
            name: &[],
            value_type: NO_KEY,
            bit_offset: 0,
            bit_size: 0,
            value: 0,
            variant,
            kind: kind as u8,
            flags: 0,
        };
        let mut value = value;
        let mut place = BitPlace::default();
        let mut lower = 0;
        for attribute in attributes {
            let content = attribute.value();
            match attribute.name() {
                dw::DW_AT_name => fact.name = self.text(content),
                dw::DW_AT_type => fact.value_type = self.reference(&content),
                dw::DW_AT_const_value if kind == MemberKind::Enumerator => {
                    value = attributes::constant(&content);
                }
                dw::DW_AT_lower_bound => lower = content.udata_value().unwrap_or(0),
                dw::DW_AT_count => value = content.udata_value().map(|count| (count, false)),
                dw::DW_AT_upper_bound => {
                    // An empty array has the bound -1.
                    let count = match content {
                        AttributeValue::Sdata(bound) => {
                            bound.checked_add(1).and_then(|count| u64::try_from(count).ok())
                        }
                        other => other.udata_value().map(|bound| match bound {
                            u64::MAX => 0,
                            bound if bound == u64::from(u32::MAX) => 0,
                            bound => bound + 1,
                        }),
                    };
                    value = count.map(|count| (count.saturating_sub(lower), false));
                }
                // Static members are variables, not parts of the layout.
                dw::DW_AT_declaration => return None,
                dw::DW_AT_artificial => fact.flags |= member_flags::ARTIFICIAL,
                _ => place.attribute(attribute),
            }
        }
        if let Some((bits, signed)) = value {
            fact.value = bits;
            fact.flags |= member_flags::HAS_VALUE;
            fact.flags |= if signed { member_flags::SIGNED } else { 0 };
        }
        fact.bit_size = place.size;
        if matches!(kind, MemberKind::Field | MemberKind::Base | MemberKind::Discriminant)
            && let Some(offset) = place.offset()
        {
            fact.bit_offset = offset;
            fact.flags |= member_flags::HAS_OFFSET;
        }
        self.facts.members.push(fact);
        None
    }
}

/// Where a member begins, of the several ways to say so.
#[derive(Default)]
struct BitPlace {
    bytes: Option<u64>,
    computed: bool,
    bits: Option<u64>,
    /// DWARF 3: bits from the most significant one of a unit of this many bytes.
    from_top: Option<u64>,
    storage: Option<u64>,
    size: u32,
}

impl BitPlace {
    fn attribute(&mut self, attribute: &Attribute<'_>) {
        let value = attribute.value();
        let number = value.udata_value();
        match attribute.name() {
            dw::DW_AT_data_member_location => {
                self.bytes = number;
                self.computed = number.is_none();
            }
            dw::DW_AT_data_bit_offset => self.bits = number,
            dw::DW_AT_bit_offset => self.from_top = number,
            dw::DW_AT_byte_size => self.storage = number,
            dw::DW_AT_bit_size => self.size = attributes::number(&value),
            _ => {}
        }
    }

    fn offset(&self) -> Option<u64> {
        if self.computed {
            return None;
        }
        if let Some(bits) = self.bits {
            return Some(bits);
        }
        let start = self.bytes.unwrap_or(0).checked_mul(8)?;
        match (self.from_top, self.storage) {
            (Some(top), Some(storage)) => start
                .checked_add(storage.checked_mul(8)?)?
                .checked_sub(top)?
                .checked_sub(u64::from(self.size)),
            _ => Some(start),
        }
    }
}
