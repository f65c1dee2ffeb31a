"""Everything that knows LiteLLM: conversion at the border, hooks, cache delivery, the interposer, proxy routes."""
