#include "quintet_math.h"
#include <math.h>
#include <stdint.h>
#include <string.h>

static double from_bits(uint64_t bits) { double x; memcpy(&x, &bits, sizeof x); return x; }
static uint64_t to_bits(double x) { uint64_t bits; memcpy(&bits, &x, sizeof bits); return bits; }

// ln 2 in two parts: the first has trailing zeros, so that k * LN2_HIGH is exact for |k| < 2048.
#define LN2_HIGH 6.93147180369123816490e-01
#define LN2_LOW 1.90821492927058770002e-10

double quintet_exp(double x) {
    if (x != x) return x;
    if (x > 709.0) return x > 709.78 ? INFINITY : quintet_exp(x - LN2_HIGH) * 2.0;
    if (x < -708.0) return 0.0;
    double k = floor(x * 1.4426950408889634 + 0.5);
    double r = (x - k * LN2_HIGH) - k * LN2_LOW;
    double sum = 1.0;
    for (int n = 14; n >= 1; n--) sum = 1.0 + r * sum / n;
    return sum * from_bits((uint64_t)((int64_t)k + 1023) << 52);
}

double quintet_log(double x) {
    if (!(x > 0.0)) return x == 0.0 ? -INFINITY : NAN;
    if (x == INFINITY) return x;
    int exponent = 0;
    if (x < 0x1p-1022) { x *= 0x1p54; exponent = -54; }
    uint64_t bits = to_bits(x);
    exponent += (int)(bits >> 52) - 1023;
    double m = from_bits((bits & 0xFFFFFFFFFFFFFull) | 0x3FF0000000000000ull);
    if (m > 1.4142135623730951) { m *= 0.5; exponent++; }
    // log m = 2 artanh s with s = (m - 1) / (m + 1), |s| < 0.172
    double s = (m - 1.0) / (m + 1.0), z = s * s, sum = 0.0;
    for (int n = 21; n >= 3; n -= 2) sum = z * (sum + 1.0 / n);
    double r = 2.0 * s + 2.0 * s * sum;
    return exponent * LN2_HIGH + (r + exponent * LN2_LOW);
}

// |r| <= pi/4
static double sine_series(double r) {
    double z = r * r, sum = 0.0;
    for (int n = 19; n >= 3; n -= 2) sum = z / (n * (n - 1)) * (-1.0 - sum);
    return r + r * sum;
}

static double cosine_series(double r) {
    double z = r * r, sum = 0.0;
    for (int n = 18; n >= 2; n -= 2) sum = z / (n * (n - 1)) * (-1.0 - sum);
    return 1.0 + sum;
}

// pi/2 in three parts, exact products for |k| < 2^20.
static double reduce(double x, int64_t *quadrant) {
    double k = floor(x * 0.63661977236758134308 + 0.5);
    *quadrant = (int64_t)k;
    return ((x - k * 1.57079632673412561417e+00) - k * 6.07710050630396597660e-11) - k * 2.02226624879595063154e-21;
}

double quintet_sin(double x) {
    int64_t quadrant;
    double r = reduce(x, &quadrant), value = quadrant & 1 ? cosine_series(r) : sine_series(r);
    return quadrant & 2 ? -value : value;
}

double quintet_cos(double x) {
    int64_t quadrant;
    double r = reduce(x, &quadrant), value = quadrant & 1 ? sine_series(r) : cosine_series(r);
    return (quadrant + 1) & 2 ? -value : value;
}
