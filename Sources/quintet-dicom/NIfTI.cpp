#include "NIfTI.h"

#include <cmath>
#include <cstring>

namespace quintet {

namespace {

using Front = std::array<unsigned char, niftiFrontByteCount>;

template <typename Value>
void put(Front& front, std::size_t at, const Value& value) { std::memcpy(front.data() + at, &value, sizeof value); }

/// nifti1.h: the rotation whose columns are the axes, which are right-handed here, as (b, c, d).
std::array<double, 3> quaternion(const std::array<std::array<double, 3>, 3>& r) {
    const double trace = r[0][0] + r[1][1] + r[2][2] + 1;
    if (trace > 0.5) {
        const double a = 0.5 * std::sqrt(trace);
        return {0.25 * (r[2][1] - r[1][2]) / a, 0.25 * (r[0][2] - r[2][0]) / a, 0.25 * (r[1][0] - r[0][1]) / a};
    }
    const double xd = 1 + r[0][0] - (r[1][1] + r[2][2]), yd = 1 + r[1][1] - (r[0][0] + r[2][2]);
    const double zd = 1 + r[2][2] - (r[0][0] + r[1][1]);
    double a, b, c, d;
    if (xd > 1) {
        b = 0.5 * std::sqrt(xd);
        c = 0.25 * (r[0][1] + r[1][0]) / b;
        d = 0.25 * (r[0][2] + r[2][0]) / b;
        a = 0.25 * (r[2][1] - r[1][2]) / b;
    } else if (yd > 1) {
        c = 0.5 * std::sqrt(yd);
        b = 0.25 * (r[0][1] + r[1][0]) / c;
        d = 0.25 * (r[1][2] + r[2][1]) / c;
        a = 0.25 * (r[0][2] - r[2][0]) / c;
    } else {
        d = 0.5 * std::sqrt(zd);
        b = 0.25 * (r[0][2] + r[2][0]) / d;
        c = 0.25 * (r[1][2] + r[2][1]) / d;
        a = 0.25 * (r[1][0] - r[0][1]) / d;
    }
    if (a < 0) return {-b, -c, -d};
    return {b, c, d};
}

}  // namespace

Front niftiFront(const Series& series, bool isFloat) {
    Front front{};
    const Slice& first = series.slices.front();
    put(front, 0, std::int32_t{348});
    const std::int16_t sizes[8] = {
        3, static_cast<std::int16_t>(first.columns), static_cast<std::int16_t>(first.rows),
        static_cast<std::int16_t>(series.slices.size()), 1, 1, 1, 1};
    put(front, 40, sizes);
    put(front, 70, static_cast<std::int16_t>(isFloat ? 16 : 4));
    put(front, 72, static_cast<std::int16_t>(isFloat ? 32 : 16));
    const float steps[4] = {
        1, static_cast<float>(first.spacing[1]), static_cast<float>(first.spacing[0]),
        static_cast<float>(series.sliceSpacing)};
    put(front, 76, steps);
    put(front, 108, static_cast<float>(niftiFrontByteCount));
    put(front, 112, 1.0f);
    // Millimetres.
    front[123] = 2;
    // In scanner coordinates, by both transforms.
    put(front, 252, std::int16_t{1});
    put(front, 254, std::int16_t{1});
    // DICOM's axes point left and posterior, NIfTI's right and anterior.
    std::array<double, 12> affine = series.affine;
    for (std::size_t i = 0; i < 8; i++) affine[i] = affine[i] == 0 ? 0 : -affine[i];
    std::array<std::array<double, 3>, 3> rotation{};
    const double lengths[3] = {first.spacing[1], first.spacing[0], series.sliceSpacing};
    for (std::size_t r = 0; r < 3; r++) {
        for (std::size_t c = 0; c < 3; c++) rotation[r][c] = affine[4 * r + c] / lengths[c];
        put(front, 268 + 4 * r, static_cast<float>(affine[4 * r + 3]));
    }
    const auto parts = quaternion(rotation);
    for (std::size_t i = 0; i < 3; i++) put(front, 256 + 4 * i, static_cast<float>(parts[i]));
    for (std::size_t i = 0; i < 12; i++) put(front, 280 + 4 * i, static_cast<float>(affine[i]));
    std::memcpy(front.data() + 344, "n+1", 4);
    return front;
}

}  // namespace quintet
