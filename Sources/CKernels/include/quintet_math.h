// Elementary functions that give the same bits on every machine: the C library picks its own by processor, so
// these use only operations that IEEE 754 rounds exactly, in a fixed order. Relative error below 4e-15.
#ifndef QUINTET_MATH_H
#define QUINTET_MATH_H
double quintet_exp(double x);
/// Natural logarithm; x > 0.
double quintet_log(double x);
double quintet_sin(double x);
double quintet_cos(double x);
#endif
