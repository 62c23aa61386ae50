"""Result files of benchmarks become calibration files, and calibration files become points."""
