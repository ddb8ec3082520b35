// HDF5's C interface and, as inline functions, those of its macros that Swift cannot import.
#pragma once
#include <hdf5.h>

// Predefined datatypes are comma expressions that initialise the library before they read a variable.
static inline hid_t CHDF5_IEEE_F32LE(void) { return H5T_IEEE_F32LE; }
static inline hid_t CHDF5_IEEE_F64LE(void) { return H5T_IEEE_F64LE; }
static inline hid_t CHDF5_STD_I32LE(void) { return H5T_STD_I32LE; }
static inline hid_t CHDF5_STD_I64LE(void) { return H5T_STD_I64LE; }
static inline hid_t CHDF5_STD_U8LE(void) { return H5T_STD_U8LE; }
static inline hid_t CHDF5_C_S1(void) { return H5T_C_S1; }

// So are the classes of property lists.
static inline hid_t CHDF5_FILE_CREATE(void) { return H5P_FILE_CREATE; }
static inline hid_t CHDF5_FILE_ACCESS(void) { return H5P_FILE_ACCESS; }
static inline hid_t CHDF5_GROUP_CREATE(void) { return H5P_GROUP_CREATE; }
static inline hid_t CHDF5_DATASET_CREATE(void) { return H5P_DATASET_CREATE; }

// And the access flags.
static inline unsigned CHDF5_ACC_RDONLY(void) { return H5F_ACC_RDONLY; }
static inline unsigned CHDF5_ACC_TRUNC(void) { return H5F_ACC_TRUNC; }

// These are casts, which Swift does not import either.
static inline hid_t CHDF5_DEFAULT(void) { return H5P_DEFAULT; }
static inline hid_t CHDF5_ALL(void) { return H5S_ALL; }
