/// The letters of `Picture.write`: printable ASCII, 5 pixels wide, 7 high and one more for descenders. Drawn for this
/// program, so that a report needs no font on the machine.
enum BitmapFont {
    static let width = 5
    static let height = 8
    /// From one character to the next.
    static let advance = 6

    /// Five columns from the left; bit 0 is the top row.
    static func glyph(_ character: Character) -> [UInt8] {
        guard let code = character.asciiValue, (32...126).contains(code) else { return missing }
        let start = (Int(code) - 32) * width
        return Array(columns[start ..< start + width])
    }

    private static let missing: [UInt8] = [0x7f, 0x41, 0x41, 0x41, 0x7f]

    /// Characters 32 to 126, five hexadecimal bytes each.
    private static let columns: [UInt8] = {
        let digits = text.filter(\.isHexDigit).map { UInt8($0.hexDigitValue!) }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }()

    private static let text = """
        0000000000 00005f0000 0007000700 147f147f14 242a7f2a12 2313086462 3649552250 0000070000
        001c224100 0041221c00 14083e0814 08083e0808 0080602000 0808080808 0060600000 6010080403
        3e5149453e 00427f4000 6251494946 2141454b31 1814127f10 2745454539 3c4a494930 0171090503
        3649494936 064949291e 0036360000 0056360000 0814224100 1414141414 0041221408 0201510906
        3e415d555e 7e0909097e 7f49494936 3e41414122 7f4141413e 7f49494941 7f09090901 3e4149497a
        7f0808087f 00417f4100 2040413f01 7f08142241 7f40404040 7f020c027f 7f0204087f 3e4141413e
        7f09090906 3e4151215e 7f09192946 4649494931 01017f0101 3f4040403f 1f2040201f 7f2018207f
        6314081463 0304780403 6151494543 007f414100 0304081060 0041417f00 0402010204 4040404040
        0001020000 2054545478 7f44444438 3844444444 384444447f 3854545418 047e050500 18a4a4a47c
        7f04040478 00447d4000 4080847d00 7f10284400 00417f4000 7c04780478 7c04040478 3844444438
        fc24242418 18242424fc 7c08040408 4854545424 043f444400 3c4040407c 1c2040201c 3c4030403c
        4428102844 1ca0a0a07c 4464544c44 0008364100 00007f0000 0041360800 180408100c
        """
}
