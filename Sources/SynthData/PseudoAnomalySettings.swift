/// What the generator of pseudo-anomalies may be told (liver paper, sections 3.1 and 4.1; method.md B). The defaults
/// are the paper's; lengths are in pixels of a slice of 256 x 256 and scale with `size`.
public struct PseudoAnomalySettings: Sendable, Hashable, Codable {
    /// What is blurred to make a mask.
    public enum Noise: String, Sendable, Codable, CaseIterable {
        /// Standard normal, as the paper's text says; computed with as it is.
        case gaussian
        /// Whole numbers 0 ... 255, every one as likely, blurred to whole numbers as OpenCV blurs bytes, and stretched
        /// to whole numbers, as the authors' program does. The blurred noise has about ten levels and is rougher than a
        /// true Gaussian's: masks are smaller, and more of them miss the liver.
        case uniformIntegers = "uniform-integers"
    }

    /// What a mask is filled with.
    public enum Filling: String, Sendable, Codable, CaseIterable {
        /// One shift C for the slice is added: the paper's.
        case shift
        /// In half of the samples the shift, in the others the stretched noise, scaled to the liver's mean (the
        /// program's `control_texture`).
        case shiftOrTexture = "shift-or-texture"
        /// One grey value, 0 ... 255, every one as likely (the first image that the program's `randomShape` returns).
        case constant
        /// Nothing of the paper's: DRAEM's masks of Perlin noise, blended with a texture (Table 2, "baseline").
        case draem
    }

    /// Rows and columns of a slice, 16 ... 4096.
    public var size: Int
    public var noise = Noise.gaussian
    public var filling = Filling.shift
    /// Standard deviation of the noise's Gaussian blur, in pixels at 256 x 256.
    public var blurSigma = 15.0
    /// Stretched to 0 ... 255, noise above this is mask, 0 ... 254.
    public var threshold = 200.0
    /// Diameter of the ellipse that masks are opened and closed with, in pixels at 256 x 256; rounded to odd, at least
    /// 3.
    public var ellipse = 9.0
    /// Masks drawn for a sample and joined, 1 ... 64 (the program's `number_iterations`).
    public var maskCount = 1
    /// How often a mask is drawn before it is left empty, 1 ... 1000. The program's default is 1, method.md's more.
    public var drawCountMax = 50
    /// |C| is `leastShift` ... `colourRange`, grey values of 0 ... 255.
    public var colourRange = 100.0
    public var leastShift = 60.0
    /// C is never above 0 (the program's `cutout`).
    public var isAlwaysDarker = false
    /// Share of the samples that stay as they are; DRAEM's own is 0.5, the paper's 0.
    public var cleanShare = 0.0

    public init(size: Int = 256) { self.size = size }

    /// The ablation of the paper's Table 2 without its pseudo-anomalies: plain DRAEM.
    public static func draem(size: Int = 256) -> PseudoAnomalySettings {
        var settings = PseudoAnomalySettings(size: size)
        (settings.filling, settings.cleanShare) = (.draem, 0.5)
        return settings
    }

    /// What is out of range, and what would do; nil when all is well. For settings from outside; the generator takes no
    /// others.
    public var problem: String? {
        func check(_ holds: Bool, _ text: String) -> String? { holds ? nil : text }
        return check((16...4096).contains(size), "a slice has 16 to 4096 rows, not \(size)")
            ?? check((1...100).contains(blurSigma), "the blur's sigma is 1 to 100 pixels at 256, not \(blurSigma)")
            ?? check((0...254).contains(threshold), "the threshold is 0 to 254, not \(threshold)")
            ?? check((1...64).contains(ellipse), "the ellipse has 1 to 64 pixels at 256, not \(ellipse)")
            ?? check((1...64).contains(maskCount), "1 to 64 masks are joined, not \(maskCount)")
            ?? check((1...1000).contains(drawCountMax), "a mask is drawn 1 to 1000 times, not \(drawCountMax)")
            ?? check((0...1).contains(cleanShare), "the share of clean samples is 0 to 1, not \(cleanShare)")
            ?? check((0...255).contains(leastShift) && (leastShift...255).contains(colourRange),
                     "the least shift (\(leastShift)) and the range (\(colourRange)) are 0 to 255, in this order")
    }

    /// Pixels of this size that `pixels` of a slice of 256 x 256 are.
    func scaled(_ pixels: Double) -> Double { pixels * Double(size) / 256 }

    /// The ellipse's diameter here: odd, at least 3.
    package var ellipseSize: Int { max(3, 2 * Int(((scaled(ellipse) - 1) / 2).rounded()) + 1) }
}
