import Foundation
import Imaging
import Testing

@Suite struct PictureTests {
    /// Grows to the patient's right along x and to anterior along y, so that a picture's corners are known.
    private func corners() -> Volume<Float> {
        var volume = Volume<Float>(
            repeating: 0, shape: VolumeShape(depth: 3, height: 4, width: 5),
            geometry: Geometry(spacing: Spacing(zMM: 2, yMM: 1, xMM: 1)))
        volume[2, 3, 4] = 100  // superior, anterior, right
        volume[2, 0, 0] = 50  // superior, posterior, left
        return volume
    }

    @Test func anteriorIsUpAndThePatientsRightIsAtTheLeft() {
        let renderer = SliceRenderer(range: 0...100)
        for code in ["RAS", "LPS", "SRA", "PIL"] {
            let stored = corners().reoriented(from: .canonical, to: Orientation(code: code)!)
            let picture = renderer.picture(stored, slice: 2)
            #expect(picture.width == 5 && picture.height == 4)
            #expect(picture[0, 0].red == 255, "\(code)")
            #expect(picture[4, 3].red == 128, "\(code)")
            #expect(picture[4, 0].red == 0 && picture[0, 3].red == 0)
        }
    }

    @Test func coronalAndSagittalHaveSuperiorUp() {
        let coronal = SliceRenderer(range: 0...100, view: .coronal).picture(corners(), slice: 3)
        #expect(coronal.width == 5 && coronal.height == 3)
        #expect(coronal[0, 0].red == 255)
        let sagittal = SliceRenderer(range: 0...100, view: .sagittal).picture(corners(), slice: 4)
        #expect(sagittal.width == 4 && sagittal.height == 3)
        #expect(sagittal[0, 0].red == 255)
        let square = SliceRenderer(range: 0...100, view: .coronal, pixelMM: 0.5).picture(corners(), slice: 3)
        #expect(square.width == 10 && square.height == 12)
    }

    @Test func anOutlineIsTheMasksRim() {
        let volume = Volume<Float>(
            repeating: 0, shape: VolumeShape(depth: 1, height: 7, width: 7),
            geometry: Geometry(spacing: Spacing(zMM: 1, yMM: 1, xMM: 1)))
        var mask: Mask = volume.with([UInt8](repeating: 0, count: 49))
        for y in 1...5 { for x in 1...5 { mask[0, y, x] = 1 } }
        let overlay = SliceRenderer.Overlay(mask: mask, colour: .red)
        let picture = SliceRenderer(range: 0...1).picture(volume, slice: 0, overlays: [overlay])
        let red = (0 ..< 49).filter { picture[$0 % 7, $0 / 7] == .red }
        #expect(red.count == 16)
        #expect(picture[3, 3] == .black)
        let filled = SliceRenderer.Overlay(mask: mask, colour: .white, opacity: 0.5)
        #expect(SliceRenderer(range: 0...1).picture(volume, slice: 0, overlays: [filled])[3, 3].red == 128)
    }

    @Test func everyLetterIsThereAndNoTwoLookAlike() {
        let letters = (32...126).map { code in
            var picture = Picture(width: 6, height: 8)
            picture.write(String(UnicodeScalar(UInt8(code))), x: 0, y: 0)
            return picture.rgb
        }
        #expect(Set(letters).count == 95)
        var beyond = Picture(width: 6, height: 8)
        beyond.write("é", x: 0, y: 0)
        #expect(!letters.contains(beyond.rgb))
    }

    /// R and L the wrong way round, or a bar of another length.
    @Test func anAxialPictureSaysItsSidesAndItsScale() {
        var marked = Picture(width: 90, height: 60), right = Picture(width: 90, height: 60)
        marked.markSides(pixelMM: 1.25)
        // Axial slices have the patient's right on the left-hand side.
        right.write("R", x: 3, y: 26)
        for x in 0..<20 { for y in 20..<40 { #expect(marked[x, y] == right[x, y]) } }
        #expect((80..<90).contains { x in (26..<34).contains { marked[x, $0] == .white } })
        #expect((0..<90).filter { marked[$0, 56] == .white } == Array(4..<44))
        // Too small for a bar: none is drawn beyond the edge.
        var small = Picture(width: 30, height: 40)
        small.markSides(pixelMM: 1.25)
        #expect((0..<30).allSatisfy { small[$0, 36] == .black })
    }

    @Test func picturesAreEnlargedCaptionedAndLaidSideBySide() {
        var dot = Picture(width: 2, height: 2)
        dot[1, 0] = .amber
        let large = dot.enlarged(by: 3)
        #expect(large.width == 6 && large[5, 2] == .amber && large[2, 0] == .black)
        let grid = Picture.grid([dot, dot, dot], columnCount: 2, gap: 1)
        #expect(grid.width == 5 && grid.height == 5)
        #expect(grid[1, 0] == .amber && grid[4, 0] == .amber && grid[1, 3] == .amber && grid[4, 3] == .black)
        let named = dot.captioned("Dice 0.71")
        #expect(named.width >= 9 * 6 && named.height == 2 + 12)
        #expect(named[1, 12] == .amber)
    }

    @Test func aPNGHoldsThePixelsAndCanBeRepeated() throws {
        var picture = Picture(width: 37, height: 11, colour: .skyBlue)
        picture.write("CT 7", x: 2, y: 2)
        let bytes = picture.png()
        #expect(bytes == picture.png())
        #expect(Array(bytes[..<8]) == [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
        #expect(Array(bytes[16..<24]) == [0, 0, 0, 37, 0, 0, 0, 11])
        #expect(bytes[25] == 2, "RGB")
        #expect(Array(bytes.suffix(12)) == [0, 0, 0, 0, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82])
        let grey = PNG.encode(grey: [0, 255, 128, 7], width: 2, height: 2)
        #expect(grey[25] == 0)
        #expect(PNG.encode(rgb: [0, 0, 0, 255, 255, 255, 128, 128, 128, 7, 7, 7], width: 2, height: 2) == grey)
    }
}
