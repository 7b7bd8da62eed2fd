//! Types: look-ups by number and by name.

use super::format::Section;
use super::model::{Member, MemberKind, Type, TypeKind, TypeNumber};
use super::rows::{MemberRow, TypeRow, member_flags, type_flags};
use super::tables::{CodeTables, place, reference};

/// Names and qualifiers that are looked through: more in a row are a circle.
const MAX_WRAPPERS: usize = 32;

impl CodeTables {
    /// All types, in the order of their numbers.
    pub fn types(&self) -> impl ExactSizeIterator<Item = Type<'_>> {
        let rows = self.rows::<TypeRow>(Section::Types);
        rows.iter()
            .enumerate()
            .map(|(at, row)| self.type_of(TypeNumber(u32::try_from(at).unwrap_or(u32::MAX)), row))
    }

    /// A type by its number.
    #[must_use]
    pub fn type_at(&self, number: TypeNumber) -> Option<Type<'_>> {
        Some(self.type_of(number, self.row(Section::Types, number.0)?))
    }

    /// The type behind other names and qualifiers.
    #[must_use]
    pub fn plain_type(&self, number: TypeNumber) -> Option<Type<'_>> {
        let mut plain = self.type_at(number)?;
        for _ in 0..MAX_WRAPPERS {
            let wraps = matches!(
                plain.kind,
                TypeKind::Typedef
                    | TypeKind::Const
                    | TypeKind::Volatile
                    | TypeKind::Restrict
                    | TypeKind::Atomic
            );
            match plain.target.filter(|_| wraps).and_then(|target| self.type_at(target)) {
                Some(target) => plain = target,
                None => break,
            }
        }
        Some(plain)
    }

    /// The members of a type, in the order of the source.
    pub fn members_of(&self, number: TypeNumber) -> impl ExactSizeIterator<Item = Member<'_>> {
        let (first, count) = self
            .row::<TypeRow>(Section::Types, number.0)
            .map_or((0, 0), |row| (row.first_member.get(), row.members.get()));
        self.part::<MemberRow>(Section::Members, first, count).iter().map(|row| self.member(row))
    }

    fn type_of(&self, number: TypeNumber, row: &TypeRow) -> Type<'_> {
        let flags = row.flags.get();
        Type {
            number,
            name: self.text(row.name.get()),
            kind: TypeKind::of(row.kind),
            encoding: row.encoding,
            size: (flags & type_flags::HAS_SIZE != 0).then(|| row.size.get()),
            target: reference(row.target.get()).map(TypeNumber),
            declared: place(row.file.get(), row.line.get(), 0),
            is_declaration: flags & type_flags::DECLARATION != 0,
        }
    }

    fn member(&self, row: &MemberRow) -> Member<'_> {
        let has = |flag: u8| row.flags & flag != 0;
        let bits = row.value.get();
        let value = if has(member_flags::SIGNED) {
            i128::from(bits.cast_signed())
        } else {
            i128::from(bits)
        };
        Member {
            name: self.text(row.name.get()),
            kind: MemberKind::of(row.kind),
            value_type: reference(row.value_type.get()).map(TypeNumber),
            bit_offset: has(member_flags::HAS_OFFSET).then(|| row.bit_offset.get()),
            bit_size: Some(row.bit_size.get()).filter(|bits| *bits > 0),
            variant: Some(row.variant.get()).filter(|variant| *variant > 0),
            value: has(member_flags::HAS_VALUE).then_some(value),
            is_artificial: has(member_flags::ARTIFICIAL),
        }
    }
}
